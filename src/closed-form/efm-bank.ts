/** Which data stand beside x1 in the targets of empirical flow matching. */
import type { RandomStream } from '../numerics/stream.ts';

/** How banks are drawn: one for each datum of a batch, or one that all of them share. */
export type BankKind = 'per-sample' | 'shared';

/** All data that may stand in a bank. */
export interface BankMembers {
  readonly count: number;
  /** Label of each: int32 [count]. */
  readonly labels: Int32Array;
}

/** The data of a batch. */
export interface BankRows {
  /** Number of each row's datum: uint32 [batch]. */
  readonly numbers: Uint32Array;
  /** Label that the model is told of each row, from whose data the bank is; `null`: from all data. */
  readonly labels: readonly (number | null)[];
}

/** For each row of a batch the numbers of the data beside its own, each once. */
export type DrawBanks = (rows: BankRows, random: RandomStream) => Uint32Array[];

/** Numbers of data that are drawn from again and again. */
interface Pool {
  /**
   * `count` of the numbers but for some of them, evenly and without replacement; all the rest where there are no more.
   * @param without  members of the pool.
   */
  draw(count: number, without: ReadonlySet<number>, random: RandomStream): Uint32Array;
}

/**
 * Draws by the first swaps of a shuffle, which are then undone, so that what is drawn depends on the stream alone.
 * Source: [knuth:97], algorithm 3.4.2 P.
 */
function poolOf(numbers: Uint32Array): Pool {
  const swap = (a: number, b: number) => {
    const moved = numbers[a]!;
    numbers[a] = numbers[b]!;
    numbers[b] = moved;
  };
  return {
    draw(count, without, random) {
      if (count >= numbers.length - without.size) return numbers.filter((number) => !without.has(number));
      const drawn = new Uint32Array(count);
      const partners = new Uint32Array(count + without.size);
      let place = 0;
      for (let taken = 0; taken < count; place++) {
        const partner = place + random.below(numbers.length - place);
        partners[place] = partner;
        swap(place, partner);
        if (!without.has(numbers[place]!)) drawn[taken++] = numbers[place]!;
      }
      while (--place >= 0) swap(place, partners[place]!);
      return drawn;
    },
  };
}

/** Pools by label, made when they are first needed. */
function poolsOf({ count, labels }: BankMembers): (label: number | null) => Pool {
  const pools = new Map<number | null, Pool>();
  const membersOf = (label: number | null) =>
    Uint32Array.from({ length: count }, (_, number) => number).filter((number) => isOf(label, labels[number]!));
  return (label) => {
    const pool = pools.get(label) ?? poolOf(membersOf(label));
    pools.set(label, pool);
    return pool;
  };
}

/** Whether a datum may stand in the banks of a label. */
function isOf(label: number | null, ofDatum: number): boolean {
  return label === null || label === ofDatum;
}

/**
 * Banks of `candidates` data, x1 among them: the others are drawn for each row by itself, evenly and without replacement from the data
 * other than x1. Source: [bertrand:25], algorithm 1.
 */
function banksPerSample(candidates: number, members: BankMembers): DrawBanks {
  const poolFor = poolsOf(members);
  return ({ numbers, labels }, random) =>
    Array.from(numbers, (own, row) => poolFor(labels[row]!).draw(candidates - 1, new Set([own]), random));
}

/**
 * One bank for all rows of a label: `candidates` data that are not in the batch, and the batch's own of that label. Together they are as
 * likely as any other set of so many data, and x1 is any of them, so that the target is unbiased as it is with banks of its own.
 */
function sharedBanks(candidates: number, members: BankMembers): DrawBanks {
  const poolFor = poolsOf(members);
  return ({ numbers, labels }, random) => {
    const banks = new Map<number | null, Uint32Array>();
    for (const label of new Set(labels)) {
      const present = new Set(numbers.filter((number) => isOf(label, members.labels[number]!)));
      banks.set(label, Uint32Array.from([...present, ...poolFor(label).draw(candidates, present, random)]));
    }
    return Array.from(numbers, (own, row) => banks.get(labels[row]!)!.filter((number) => number !== own));
  };
}

/** Banks of a kind. @param options.candidates  M, at least 1; see the two functions above. */
export function bankDraws(
  members: BankMembers,
  { candidates, kind }: { readonly candidates: number; readonly kind: BankKind },
): DrawBanks {
  return kind === 'shared' ? sharedBanks(candidates, members) : banksPerSample(candidates, members);
}
