/** LOOM: every datum keeps noises of its own, which batches exchange for cheaper ones. */
import { normalsFromSeeds } from '../numerics/normal.ts';
import { type RandomStream, stream } from '../numerics/stream.ts';
import type { Coupling, CouplingBatch, CouplingContext, Pairing } from './coupling.ts';
import { optimalPairing, type PairingTools, reportOf, takeRows } from './optimal-pairing.ts';
import { drawSeeds, type SeedCache, seedCache, type Transaction } from './seed-cache.ts';
import { freshNoise } from './stateless-coupling.ts';
import { alignedCosts, type CostKind } from './transport-cost.ts';
import { type CouplingData, wholeCostOf } from './whole-cost.ts';

export interface LoomOptions {
  /** Noises that a datum keeps, at least 1; one is chosen at random each time. */
  readonly caches: number;
  readonly cost: CostKind;
  /** Whether noises are exchanged among data of the same label alone, so that each label's noise stays standard normal. */
  readonly perClass: boolean;
  /** Whether noises are exchanged at all; false: the source stays as it was drawn. */
  readonly reassign: boolean;
  /** Whether the exchange is remembered; false: fresh noise each time, as in minibatch optimal transport. */
  readonly keep: boolean;
  /** Images that are paired before the network's first step; 0: none. */
  readonly trainAfter: number;
  /** Whether kept noises are replaced by new ones: all of them every so many images, or each with a probability when it is met. */
  readonly refresh:
    | { readonly kind: 'all'; readonly everyImages: number }
    | { readonly kind: 'gradual'; readonly probability: number }
    | null;
  /** Probability of training with the kept noise rather than with a fresh one, which is not kept. */
  readonly interpolate: number;
}

export interface LoomParts {
  readonly options: LoomOptions;
  readonly tools: PairingTools;
  readonly data: CouplingData;
  /** Seed of the run. */
  readonly seed: number;
}

/** What the pairing of one batch works on. */
interface Visit {
  readonly batch: CouplingBatch;
  readonly context: CouplingContext;
  /** Place of each row's noise in the cache: uint32 [batch]. */
  readonly slots: Uint32Array;
  readonly transaction: Transaction;
}

/** Noises of a batch after the exchange, rows aligned with the data. */
interface Exchanged {
  readonly source: Float32Array;
  readonly seeds: Uint32Array;
  readonly costBefore: Float64Array;
  readonly cost: Float64Array;
  readonly reassigned: number;
}

/**
 * LOOM-CFM: each datum keeps `caches` noise seeds. Of each datum in a batch one seed is taken, their noises are exchanged so that the
 * batch's total cost is least, and the seeds are kept in their new places; mirrored images keep seeds of their own.
 *
 * Source: [davtyan:25], algorithm 1, eqs. 9-10 and section 3.2 (caches); appendix F for `refresh` (1, 2) and `interpolate` (3). Where
 * the paper keeps one noise per datum and takes the norm in appendix B, `cost` chooses. Fails when the data are few: the network learns
 * the finite set of noises by heart; more caches help. Exchanges between labels bias the noise of a label: see `perClass`.
 */
export function loomCoupling(parts: LoomParts): Coupling {
  const { options, data, seed } = parts;
  const { count, mirrored } = data;
  const { caches } = options;
  const cache = seedCache(count * (mirrored ? 2 : 1) * caches, seed);
  const kept = () => {
    const { seeds } = cache.state();
    const images = seeds.map((_, slot) => Math.floor(slot / caches));
    const flipped = Uint8Array.from(images, (image) => Math.floor(image / count));
    return { seeds, rows: images.map((image) => image % count), flipped };
  };
  return {
    kind: 'loom',
    preliminaryImages: options.trainAfter,
    preliminary: {
      total: options.trainAfter,
      get done() {
        return Math.min(cache.paired, options.trainAfter);
      },
      async advance(next) {
        const { report, commit } = await pairBatch(await next(), { seed, imagesSeen: cache.paired }, cache, parts);
        commit();
        return report;
      },
    },
    pair: (batch, context) => pairBatch(batch, context, cache, parts),
    state: () => cache.state(),
    restore: (state) => cache.restore(state),
    wholeCost: () => wholeCostOf(kept(), { data, seed, cost: options.cost }),
    kept,
  };
}

async function pairBatch(
  batch: CouplingBatch,
  context: CouplingContext,
  cache: SeedCache,
  parts: LoomParts,
): Promise<Pairing & { readonly commit: () => void }> {
  const transaction = cache.begin();
  const slots = chooseSlots(batch, context, parts);
  const visit = { batch, context, slots, transaction };
  refresh(visit, cache, parts.options);
  const exchanged = await exchange(visit, cache, parts);
  transaction.count(slots.length);
  return {
    ...interpolated(exchanged, visit, parts.options),
    target: batch.target,
    labels: batch.labels,
    report: reportOf(exchanged),
    commit: transaction.commit,
  };
}

/** Slot (mirrored, datum, cache) of each row; the cache is drawn from the run's seed and the images seen. */
function chooseSlots(
  { indices, flipped }: CouplingBatch,
  { seed, imagesSeen }: CouplingContext,
  { options: { caches }, data: { count } }: LoomParts,
): Uint32Array {
  const random = stream(seed, 'loom-slot', imagesSeen);
  return Uint32Array.from(indices, (index, row) => (flipped[row]! * count + index) * caches + random.below(caches));
}

/** Whether a multiple of `every` lies in (start - rows, start]: the batch before did not reach it. */
function isDue(every: number, start: number, rows: number): boolean {
  return start > 0 && Math.floor(start / every) > Math.floor((start - rows) / every);
}

/** Replaces kept noises ([davtyan:25], appendix F.1 and F.2). */
function refresh(visit: Visit, cache: SeedCache, { refresh: rule }: LoomOptions): void {
  const { context, slots, transaction } = visit;
  const { seed, imagesSeen } = context;
  if (rule?.kind === 'all' && isDue(rule.everyImages, imagesSeen, slots.length)) {
    const generation = Math.floor(imagesSeen / rule.everyImages);
    transaction.renew(
      Uint32Array.from(cache.seeds, (_, slot) => slot),
      drawSeeds(cache.slots, seed, generation),
    );
  }
  if (rule?.kind === 'gradual') {
    const random = stream(seed, 'loom-refresh', imagesSeen);
    const renewed = slots.filter(() => random.uniform() < rule.probability);
    const distinct = Uint32Array.from(new Set(renewed));
    transaction.renew(
      distinct,
      distinct.map(() => random.uint32()),
    );
  }
}

/** Rows in rounds, within each of which no slot appears twice; one round unless the batch holds a datum twice. */
function roundsOf(slots: Uint32Array): Uint32Array[] {
  const met = new Map<number, number>();
  const rounds: number[][] = [];
  for (const [row, slot] of slots.entries()) {
    const round = met.get(slot) ?? 0;
    met.set(slot, round + 1);
    rounds[round] ??= [];
    rounds[round].push(row);
  }
  return rounds.map((rows) => Uint32Array.from(rows));
}

async function exchange(visit: Visit, cache: SeedCache, parts: LoomParts): Promise<Exchanged> {
  const { keep } = parts.options;
  const { batch, context, slots } = visit;
  const rows = slots.length;
  const elements = batch.target.length / rows;
  const fresh = keep ? null : freshNoise(batch, context);
  const whole: Exchanged = {
    source: new Float32Array(batch.target.length),
    seeds: new Uint32Array(rows),
    costBefore: new Float64Array(rows),
    cost: new Float64Array(rows),
    reassigned: 0,
  };
  let reassigned = 0;
  for (const round of fresh === null ? roundsOf(slots) : [Uint32Array.from(slots, (_, row) => row)]) {
    const chosen = round.map((row) => slots[row]!);
    const seeds = fresh?.seeds ?? chosen.map((slot) => cache.seeds[slot]!);
    const source = fresh?.source ?? normalsFromSeeds(seeds, elements);
    const target = round.length === rows ? batch.target : takeRows(batch.target, round, elements);
    const labels = round.length === rows ? batch.labels : Int32Array.from(round, (row) => batch.labels[row]!);
    const part = await exchangeRound({ source, target, elements }, { seeds, labels }, parts);
    if (fresh === null && part.reassigned > 0) visit.transaction.permute(chosen, part.seeds);
    reassigned += part.reassigned;
    for (const [i, row] of round.entries()) {
      whole.source.set(part.source.subarray(i * elements, (i + 1) * elements), row * elements);
      whole.seeds[row] = part.seeds[i]!;
      whole.costBefore[row] = part.costBefore[i]!;
      whole.cost[row] = part.cost[i]!;
    }
  }
  return { ...whole, reassigned };
}

/** The exchange among rows with slots of their own ([davtyan:25], eq. 9). */
async function exchangeRound(
  rows: { readonly source: Float32Array; readonly target: Float32Array; readonly elements: number },
  { seeds, labels }: { readonly seeds: Uint32Array; readonly labels: Int32Array },
  { options, tools }: LoomParts,
): Promise<Exchanged> {
  const { cost: kind, perClass, reassign, keep } = options;
  if (!reassign) {
    const cost = alignedCosts(kind, rows);
    return { source: rows.source, seeds, costBefore: cost, cost, reassigned: 0 };
  }
  const groups = perClass ? labels : null;
  const { sourceOf, ...pairing } = await optimalPairing(rows, { kind, groups, nearIdentity: keep }, tools);
  return {
    ...pairing,
    source: takeRows(rows.source, sourceOf, rows.elements),
    seeds: seeds.map((_, row) => seeds[sourceOf[row]!]!),
  };
}

/** Some rows with fresh noise in place of the kept one ([davtyan:25], appendix F.3). */
function interpolated(
  { source, seeds, cost }: Exchanged,
  { batch, context }: Visit,
  { interpolate, cost: kind }: LoomOptions,
): Pick<Pairing, 'source' | 'seeds' | 'cost'> {
  if (interpolate === 1) return { source, seeds, cost };
  const random: RandomStream = stream(context.seed, 'loom-interpolate', context.imagesSeen);
  const fresh = freshNoise(batch, context);
  const elements = source.length / seeds.length;
  const mixed = { source: source.slice(), seeds: seeds.slice() };
  for (let row = 0; row < seeds.length; row++) {
    if (random.uniform() < interpolate) continue;
    mixed.source.set(fresh.source.subarray(row * elements, (row + 1) * elements), row * elements);
    mixed.seeds[row] = fresh.seeds[row]!;
  }
  return { ...mixed, cost: alignedCosts(kind, { source: mixed.source, target: batch.target, elements }) };
}
