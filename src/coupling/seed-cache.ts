/** The noise seeds that a coupling keeps: one packed array, changes that wait for their commit, and a check that no seed is lost. */
import { CheckpointError, internalError } from '../errors.ts';
import { stream } from '../numerics/stream.ts';
import type { NamedArrays } from './coupling.ts';

const where = 'coupling/seed-cache';

/** Seeds before a change, and what was recorded of them all. */
interface Change {
  readonly undo: { readonly slots: Uint32Array; readonly seeds: Uint32Array }[];
  readonly checksum: Uint32Array;
  readonly paired: number;
}

/** A change of the cache; until it is committed, `state` does not show it. */
export interface Transaction {
  /** Gives the slots, which must differ, the same seeds in another order. */
  permute(slots: Uint32Array, seeds: Uint32Array): void;
  /** Gives the slots, which must differ, other seeds. */
  renew(slots: Uint32Array, seeds: Uint32Array): void;
  /** Counts images as paired. */
  count(images: number): void;
  /** Makes the change part of `state`; transactions are committed in the order in which they began. */
  commit(): void;
}

export interface SeedCache {
  readonly slots: number;
  /** Images paired so far, uncommitted ones included. */
  readonly paired: number;
  /** Seed of each slot, uncommitted changes included: uint32 [slots]. Not to be written to. */
  readonly seeds: Uint32Array;
  begin(): Transaction;
  /** What is committed. @throws FlowError (a defect) if seeds were lost or came from nowhere. */
  state(): { readonly seeds: Uint32Array; readonly checksum: Uint32Array; readonly paired: Float64Array };
  /** @throws CheckpointError if the state is not that of a cache of this size, or its seeds are not those recorded. */
  restore(state: NamedArrays): void;
}

/** Two 32-bit words of one seed whose sums over all seeds stand for the multiset: finalisers of MurmurHash3 and of Splitmix32. */
function addTo(checksum: Uint32Array, seed: number, sign: 1 | -1): void {
  let a = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  let b = (seed + 0x9e3779b9) | 0;
  b = Math.imul(b ^ (b >>> 16), 0x21f0aaad);
  b = Math.imul(b ^ (b >>> 15), 0x735a2d97);
  checksum[0]! += sign * (a ^ (a >>> 16));
  checksum[1]! += sign * (b ^ (b >>> 15));
}

/** Sums over a multiset of seeds that any order gives alike, modulo 2^32: uint32 [2]. */
export function multisetChecksum(seeds: Uint32Array): Uint32Array {
  const checksum = new Uint32Array(2);
  for (const seed of seeds) addTo(checksum, seed, 1);
  return checksum;
}

const sameWords = (a: ArrayLike<number>, b: ArrayLike<number>) => a.length === 2 && a[0] === b[0] && a[1] === b[1];

/** Seeds for `slots` slots, drawn from the run's seed; `generation` counts how often all were drawn. */
export function drawSeeds(slots: number, seed: number, generation = 0): Uint32Array {
  const words = stream(seed, 'loom-seeds', generation);
  const seeds = new Uint32Array(slots);
  for (let slot = 0; slot < slots; slot++) seeds[slot] = words.uint32();
  return seeds;
}

/** A cache of `slots` random seeds. Memory: 4 bytes a slot. */
export function seedCache(slots: number, seed: number): SeedCache {
  const seeds = drawSeeds(slots, seed);
  const checksum = multisetChecksum(seeds);
  const pending: Change[] = [];
  let paired = 0;

  function begin(): Transaction {
    const change: Change = { undo: [], checksum: checksum.slice(), paired };
    pending.push(change);
    const write = (written: Uint32Array, values: Uint32Array) => {
      change.undo.push({ slots: written, seeds: Uint32Array.from(written, (slot) => seeds[slot]!) });
      for (const [i, slot] of written.entries()) seeds[slot] = values[i]!;
    };
    return {
      permute: write,
      renew(renewed, values) {
        for (const slot of renewed) addTo(checksum, seeds[slot]!, -1);
        for (const value of values) addTo(checksum, value, 1);
        write(renewed, values);
      },
      count(images) {
        paired += images;
      },
      commit() {
        if (pending.shift() !== change) throw internalError('changes of a seed cache were committed out of order');
      },
    };
  }

  return {
    slots,
    get paired() {
      return paired;
    },
    seeds,
    begin,
    state() {
      const committed = seeds.slice();
      for (const { undo } of pending.toReversed()) {
        for (const before of undo.toReversed()) {
          for (const [i, slot] of before.slots.entries()) committed[slot] = before.seeds[i]!;
        }
      }
      const [oldest = { checksum, paired }] = pending;
      if (!sameWords(multisetChecksum(committed), oldest.checksum)) {
        throw internalError('the noise seeds of the coupling are no longer those that were drawn');
      }
      return { seeds: committed, checksum: oldest.checksum.slice(), paired: Float64Array.of(oldest.paired) };
    },
    restore(state) {
      const restored = checkedState(state, slots);
      pending.length = 0;
      seeds.set(restored.seeds);
      checksum.set(restored.checksum);
      paired = restored.paired;
    },
  };
}

function checkedState(state: NamedArrays, slots: number) {
  const fault = (expected: string, got: string, remedy = "the run's own config and data") =>
    new CheckpointError({ expected, got, where, remedy });
  const { seeds, checksum, paired, ...others } = state;
  if (!(seeds instanceof Uint32Array && checksum instanceof Uint32Array && paired instanceof Float64Array)) {
    throw fault('noise seeds, their checksum and a count of images', Object.keys(state).join(', ') || 'nothing');
  }
  const stranger = Object.keys(others)[0];
  if (stranger !== undefined) throw fault('noise seeds alone', `also \`${stranger}\``);
  if (seeds.length !== slots) throw fault(`${slots} noise seeds`, String(seeds.length));
  if (!sameWords(multisetChecksum(seeds), checksum)) {
    throw fault('the noise seeds that were drawn', 'others', 'an older checkpoint');
  }
  return { seeds, checksum, paired: paired[0] ?? 0 };
}
