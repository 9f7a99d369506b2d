/** The cheapest way to pair the noises of a batch with its data, checked in float64. */
import type { DotProducts } from '../numerics/dot-products.ts';
import type { Pairing, PairingReport } from './coupling.ts';
import { alignedCosts, assignmentCosts, type CostKind, type PairRows, pairCost } from './transport-cost.ts';

/** A square problem of assignment. */
export interface SquareCosts {
  /** float32 [size, size], rows first. */
  readonly values: Float32Array;
  readonly size: number;
  /** Whether the identity is thought to be near the optimum. */
  readonly nearIdentity: boolean;
}

/** Column of each row in an assignment of least total cost, int32 [size]; the identity if that is one. The values may be consumed. */
export type AssignmentSolver = (costs: SquareCosts) => Promise<Int32Array>;

/** What optimal pairings are computed with. */
export interface PairingTools {
  readonly products: DotProducts;
  readonly solve: AssignmentSolver;
}

export interface OptimalPairing {
  /** Source row of each target row, a permutation: uint32 [count]. */
  readonly sourceOf: Uint32Array;
  /** Cost of each target row with the source row of its own number, and with its new one: float64 [count]. */
  readonly costBefore: Float64Array;
  readonly cost: Float64Array;
  /** Rows whose source changed. */
  readonly reassigned: number;
}

export interface PairingOptions {
  readonly kind: CostKind;
  /** Rows of a group exchange noises with each other alone: int32 [count], any numbers; `null` for one group. */
  readonly groups: Int32Array | null;
  /** Whether the present pairing is thought to be nearly optimal. */
  readonly nearIdentity: boolean;
}

/** Row numbers of each group, in ascending order. */
function membersOf(groups: Int32Array | null, count: number): Uint32Array[] {
  if (groups === null) return [Uint32Array.from({ length: count }, (_, row) => row)];
  const members = new Map<number, number[]>();
  for (const [row, group] of groups.entries()) {
    const known = members.get(group);
    if (known === undefined) members.set(group, [row]);
    else known.push(row);
  }
  return [...members.values()].map((rows) => Uint32Array.from(rows));
}

/** Rows and columns `members` of a [count, count] matrix. */
function submatrix(values: Float32Array, count: number, members: Uint32Array): Float32Array {
  const size = members.length;
  if (size === count) return values;
  const part = new Float32Array(size * size);
  for (let row = 0, i = 0; row < size; row++) {
    for (let column = 0; column < size; column++, i++) part[i] = values[members[row]! * count + members[column]!]!;
  }
  return part;
}

/**
 * A match of rows with columns, made group by group.
 * @param costs   float32 [count, count].
 * @param groups  int32 [count]; `null` for one group.
 * @param match   column of each row of a group's own costs, int32 [size].
 * @returns column of each row: uint32 [count].
 */
export async function matchWithinGroups(
  costs: Float32Array,
  groups: Int32Array | null,
  match: (values: Float32Array, size: number) => Promise<Int32Array>,
): Promise<Uint32Array> {
  const count = Math.round(Math.sqrt(costs.length));
  const columnOf = new Uint32Array(count);
  for (const members of membersOf(groups, count)) {
    const columns = await match(submatrix(costs, count, members), members.length);
    for (const [i, row] of members.entries()) columnOf[row] = members[columns[i]!]!;
  }
  return columnOf;
}

/**
 * Takes over from a permutation the cycles that are cheaper than the pairs they replace, by costs in float64: what float32 costs
 * could not tell apart stays as it was, so that the total never rises ([davtyan:25], theorem 1).
 */
function takeCheaperCycles(
  permutation: Uint32Array,
  rows: PairRows,
  { kind, costBefore }: { readonly kind: CostKind; readonly costBefore: Float64Array },
): Omit<OptimalPairing, 'costBefore'> {
  const count = permutation.length;
  const sourceOf = Uint32Array.from({ length: count }, (_, row) => row);
  const cost = costBefore.slice();
  const visited = new Uint8Array(count);
  let reassigned = 0;
  for (let first = 0; first < count; first++) {
    const cycle: number[] = [];
    for (let row = first; visited[row] === 0; row = permutation[row]!) {
      visited[row] = 1;
      cycle.push(row);
    }
    if (cycle.length < 2) continue;
    const costs = cycle.map((row) => pairCost(kind, rows, [row, permutation[row]!]));
    const gain = cycle.reduce((sum, row, i) => sum + costBefore[row]! - costs[i]!, 0);
    if (!(gain > 0)) continue;
    reassigned += cycle.length;
    for (const [i, row] of cycle.entries()) {
      sourceOf[row] = permutation[row]!;
      cost[row] = costs[i]!;
    }
  }
  return { sourceOf, cost, reassigned };
}

/**
 * The permutation of sources with the least total cost ([davtyan:25], eq. 9), group by group. Costs come from float32 products; the
 * outcome is compared with the present pairing in float64.
 */
export async function optimalPairing(
  rows: PairRows,
  { kind, groups, nearIdentity }: PairingOptions,
  { products, solve }: PairingTools,
): Promise<OptimalPairing> {
  const costs = await assignmentCosts(kind, rows, products);
  const permutation = await matchWithinGroups(costs, groups, (values, size) => solve({ values, size, nearIdentity }));
  const costBefore = alignedCosts(kind, rows);
  return { costBefore, ...takeCheaperCycles(permutation, rows, { kind, costBefore }) };
}

/** The pairing in numbers. */
export function reportOf({ costBefore, cost, reassigned }: Omit<OptimalPairing, 'sourceOf'>): PairingReport {
  const mean = (values: Float64Array) => values.reduce((sum, one) => sum + one, 0) / values.length;
  return { rows: cost.length, reassigned, costBefore: mean(costBefore), cost: mean(cost) };
}

/** The rows of a matrix that `order` names: float32 [order, elements]. */
export function takeRows(values: Float32Array, order: Uint32Array, elements: number): Float32Array {
  const taken = new Float32Array(order.length * elements);
  for (const [row, from] of order.entries()) {
    taken.set(values.subarray(from * elements, (from + 1) * elements), row * elements);
  }
  return taken;
}

/** Fresh noises with the data that they were matched with, as training takes them. */
export function pairingOf(
  rows: PairRows & { readonly seeds: Uint32Array; readonly labels: Int32Array },
  pairing: OptimalPairing,
): Omit<Pairing, 'commit'> {
  const { source, target, elements, seeds, labels } = rows;
  const { sourceOf, cost } = pairing;
  return {
    source: takeRows(source, sourceOf, elements),
    seeds: seeds.map((_, row) => seeds[sourceOf[row]!]!),
    target,
    labels,
    cost,
    report: reportOf(pairing),
  };
}
