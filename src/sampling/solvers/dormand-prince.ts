/** The pair of Dormand and Prince with its error estimate and its interpolant. `dopri5.ts` chooses the steps. */

import { addSlopes } from './explicit-runge-kutta.ts';
import { type ButcherTableau, type CountedField, emptyLike, type FloatArray } from './solver.ts';

const FIFTH_ORDER = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84];

/** The fifth-order method with seven stages; the last slope of a step is the first of the next. Source: [dormand:80], table 2. */
export const dormandPrince: ButcherTableau = {
  order: 5,
  nodes: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
  matrix: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    FIFTH_ORDER,
  ],
  weights: FIFTH_ORDER,
};

/** Fifth-order minus fourth-order weights. The fourth order used is [shampine:86]'s, as in torchdiffeq, not the original one. */
const ERROR_WEIGHTS = [
  35 / 384 - 1951 / 21600,
  0,
  500 / 1113 - 22642 / 50085,
  125 / 192 - 451 / 720,
  -2187 / 6784 + 12231 / 42400,
  11 / 84 - 649 / 6300,
  -1 / 60,
];

/** Weights of the state in the middle of a step, of fourth order. Source: [shampine:86]. */
const MIDDLE_WEIGHTS = [
  6025192743 / 30085553152 / 2,
  0,
  51252292925 / 65400821598 / 2,
  -2691868925 / 45128329728 / 2,
  187940372067 / 1594534317056 / 2,
  -1776094331 / 19743644256 / 2,
  11237099 / 235043384 / 2,
];

/** Memory of an adaptive run over a batch; steps and times are each row's own. */
export interface StepMemory<A extends FloatArray> {
  /** Accepted states, [batch, elements]. */
  readonly x: A;
  /** Argument of the field; after `evaluateStages` the states at the steps' ends. */
  readonly stage: A;
  /** Times of the field's argument, [batch]. */
  readonly time: Float64Array;
  /** Begin and end of each row's step, [batch]. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Seven slopes; the first is at `x`. */
  readonly slopes: readonly A[];
  /** Which rows take part, uint8 [batch]. */
  readonly active: Uint8Array;
}

/** Memory for states `x` (which it takes over) at time `start`. */
export function stepMemory<A extends FloatArray>(x: A, batch: number, start: number): StepMemory<A> {
  const times = () => new Float64Array(batch).fill(start);
  return {
    x,
    stage: emptyLike(x),
    time: times(),
    from: times(),
    to: times(),
    slopes: dormandPrince.nodes.map(() => emptyLike(x)),
    active: new Uint8Array(batch).fill(1),
  };
}

/** Evaluates slopes 2 to 7 of each active row's step from `from` to `to`. */
export async function evaluateStages<A extends FloatArray>(
  memory: StepMemory<A>,
  field: CountedField<A>,
): Promise<void> {
  const { x, stage, time, from, to, slopes, active } = memory;
  const elements = x.length / active.length;
  for (let i = 1; i < slopes.length; i++) {
    const node = dormandPrince.nodes[i]!;
    const weights = dormandPrince.matrix[i]!;
    for (let row = 0; row < active.length; row++) {
      if (active[row] === 0) continue;
      const step = to[row]! - from[row]!;
      time[row] = node === 1 ? to[row]! : from[row]! + node * step;
      addSlopes({ x, step, slopes, weights }, stage, [row * elements, (row + 1) * elements]);
    }
    await field.evaluate(stage, time, slopes[i]!);
  }
}

/** Error that a step may make in each element: absolute + relative * |state|. */
export interface Tolerances {
  readonly relativeTolerance: number;
  readonly absoluteTolerance: number;
}

/** Root mean square of the estimated error of elements [begin, end) over their tolerances; a step is good at 1 and below. */
export function errorNorm<A extends FloatArray>(
  { x, stage, slopes }: StepMemory<A>,
  { relativeTolerance, absoluteTolerance }: Tolerances,
  { step, begin, end }: { readonly step: number; readonly begin: number; readonly end: number },
): number {
  let squares = 0;
  for (let i = begin; i < end; i++) {
    let sum = 0;
    for (let j = 0; j < ERROR_WEIGHTS.length; j++) sum += ERROR_WEIGHTS[j]! * slopes[j]![i]!;
    const tolerance = absoluteTolerance + relativeTolerance * Math.max(Math.abs(x[i]!), Math.abs(stage[i]!));
    squares += ((step * sum) / tolerance) ** 2;
  }
  return Math.sqrt(squares / (end - begin));
}

/**
 * Writes the states of elements [begin, end) at a share u in [0, 1] of the step into `out`: the quartic through the states at
 * the step's beginning, middle and end with the slopes at both ends.
 */
export function interpolate<A extends FloatArray>(
  { x, stage, slopes }: StepMemory<A>,
  span: { readonly step: number; readonly begin: number; readonly end: number; readonly u: number },
  out: A,
): void {
  const { step, begin, end, u } = span;
  for (let i = begin; i < end; i++) {
    let sum = 0;
    for (let j = 0; j < MIDDLE_WEIGHTS.length; j++) sum += MIDDLE_WEIGHTS[j]! * slopes[j]![i]!;
    const [first, last, middle] = [x[i]!, stage[i]!, x[i]! + step * sum];
    const [rise, fall] = [step * slopes[0]![i]!, step * slopes[6]![i]!];
    const fourth = 2 * (fall - rise) - 8 * (last + first) + 16 * middle;
    const third = 5 * rise - 3 * fall + 18 * first + 14 * last - 32 * middle;
    const second = fall - 4 * rise - 11 * first - 5 * last + 16 * middle;
    out[i] = first + u * (rise + u * (second + u * (third + u * fourth)));
  }
}
