/** Trajectories of the exact field of a finite data set, with the datum that each of them ends at. */
import { setImmediate } from 'node:timers/promises';
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { ConfigError, ShapeError } from '../errors.ts';
import type { FloatArray, Solver } from '../sampling/solvers/solver.ts';
import { checkIncreasing } from '../sampling/time-grid.ts';

const where = 'analysis/exact-flow';

/** How a flow is followed. */
export interface ExactFlowOptions {
  /** A solver with fixed steps. */
  readonly solver: Solver;
  /** Times from 0 to 1, float64 [steps + 1]; the last step is one of Euler's method, as the field is unbounded at 1. */
  readonly times: Float64Array;
  /** Aborting ends the work with an AbortError. */
  readonly signal?: AbortSignal;
}

/** States of the rows that were still evaluated at a time of the grid. */
interface EvaluatedRows<A extends FloatArray> {
  /** [evaluated rows, elements]. */
  readonly states: A;
  /** Where in `states` a row of the batch is; meaningless for rows that were settled before. Int32 [batch]. */
  readonly places: Int32Array;
}

/** Ways of a batch of noises to the data. */
export interface ExactFlow<A extends FloatArray> {
  readonly batch: number;
  readonly elements: number;
  /** Float64 [steps + 1]. */
  readonly times: Float64Array;
  /** Number of the datum with the largest weight at the end: the assignment. Int32 [batch]. */
  readonly nearest: Int32Array;
  /** Its weight there, float64 [batch]: a row ends at the mean of the data by their weights, one datum where this is 1. */
  readonly largestWeight: Float64Array;
  /** Evaluations of the field, int32 [batch]. */
  readonly evaluations: Int32Array;
  /** Number of the time from which on a row goes straight on, int32 [batch]. */
  readonly lastStep: Int32Array;
  /** Its velocity from there on, [batch, elements]. */
  readonly lastVelocity: A;
  readonly evaluated: readonly EvaluatedRows<A>[];
}

/**
 * Weight from which on a datum is all of the field, as far as float32 tells. It then remains so: on the straight line to datum i,
 * the difference of its logit to that of j is r e·(x_i - x_j) + r² |x_i - x_j|²/2 with r = t/(1 - t) and the noise e of the line,
 * and where this is positive it grows with r. So the velocity is constant from there on, and every solver is exact.
 */
const settledWeight = 1 - 2 ** -24;

function check<A extends FloatArray>(
  { elements }: ClosedFormField<A>,
  x0: A,
  { solver, times }: ExactFlowOptions,
): number {
  checkIncreasing(times);
  if (times[0] !== 0 || times.at(-1) !== 1) {
    throw new ConfigError({ expected: 'times from 0 to 1', got: `${times[0]} to ${times.at(-1)}`, where });
  }
  if (solver.evaluationsPerStep === null) {
    throw new ConfigError({
      expected: 'a solver with fixed steps',
      got: solver.name,
      where,
      remedy: 'euler, or midpoint',
    });
  }
  if (x0.length > 0 && x0.length % elements === 0) return x0.length / elements;
  throw new ShapeError({ expected: `\`x0\` to be [batch, ${elements}]`, got: `${x0.length} numbers`, where });
}

/** Some rows of [rows, elements]. */
function rowsOf<A extends FloatArray>(values: A, rows: readonly number[], elements: number): A {
  // A float array's own constructor gives its own type.
  const chosen = (values instanceof Float32Array
    ? new Float32Array(rows.length * elements)
    : new Float64Array(rows.length * elements)) as FloatArray as A;
  for (const [i, row] of rows.entries())
    chosen.set(values.subarray(row * elements, (row + 1) * elements), i * elements);
  return chosen;
}

/**
 * Follows noises along the exact field from time 0 to 1. A row is evaluated until one datum has all of its weight; it then goes straight
 * to that datum, as it would if it were evaluated on (see `settledWeight`).
 *
 * Sources: [bertrand:25], proposition 1; [briq:26], section 2.2.
 * @param x0  noises [batch, elements].
 * @throws ConfigError if the times are not from 0 to 1 or the solver chooses its own steps; ShapeError if the sizes do not fit.
 */
export async function followExactFlow<A extends FloatArray>(
  field: ClosedFormField<A>,
  x0: A,
  options: ExactFlowOptions,
): Promise<ExactFlow<A>> {
  const batch = check(field, x0, options);
  const { solver, times, signal } = options;
  const { elements } = field;
  const nearest = new Int32Array(batch);
  const largestWeight = new Float64Array(batch);
  const evaluations = new Int32Array(batch);
  const lastStep = new Int32Array(batch);
  const lastVelocity = x0.slice() as A;
  const evaluated: EvaluatedRows<A>[] = [];
  let rows = Array.from({ length: batch }, (_, row) => row);
  let x = x0.slice() as A;
  for (let step = 0; rows.length > 0; step++) {
    // The event loop hears of an interrupt only between steps.
    await setImmediate();
    signal?.throwIfAborted();
    const places = new Int32Array(batch);
    for (const [place, row] of rows.entries()) places[row] = place;
    evaluated.push({ states: x, places });
    const answer = await field.evaluate(x, new Float64Array(rows.length).fill(times[step]!));
    const going: number[] = [];
    for (const [place, row] of rows.entries()) {
      evaluations[row]!++;
      if (answer.largestWeight[place]! < settledWeight && step < times.length - 2) {
        going.push(place);
        continue;
      }
      nearest[row] = answer.nearest[place]!;
      largestWeight[row] = answer.largestWeight[place]!;
      lastStep[row] = step;
      lastVelocity.set(answer.velocity.subarray(place * elements, (place + 1) * elements), row * elements);
    }
    rows = going.map((place) => rows[place]!);
    if (rows.length === 0) break;
    const interval = { from: times[step]!, to: times[step + 1]!, solver };
    const velocity = rowsOf(answer.velocity, going, elements);
    x = await stepFrom(field, { x: rowsOf(x, going, elements), velocity }, interval);
    for (const row of rows) evaluations[row]! += solver.evaluationsPerStep! - 1;
  }
  return { batch, elements, times, nearest, largestWeight, evaluations, lastStep, lastVelocity, evaluated };
}

/** One step of a solver whose first slope, at the state itself, is known. */
async function stepFrom<A extends FloatArray>(
  field: ClosedFormField<A>,
  { x, velocity }: { readonly x: A; readonly velocity: A },
  { from, to, solver }: { readonly from: number; readonly to: number; readonly solver: Solver },
): Promise<A> {
  let first: A | null = velocity;
  const known = async (at: A, time: Float64Array): Promise<A> => {
    if (first === null) return (await field.evaluate(at, time)).velocity;
    const slope = first;
    first = null;
    return slope;
  };
  const batch = x.length / field.elements;
  return (await solver.solve({ field: known, x0: x, batch }, Float64Array.of(from, to))).x;
}

/** Writes the state of a row at time number `step` of the flow into `out`, float64 [elements]. */
export function writeState<A extends FloatArray>(
  { elements, times, evaluated, lastStep, lastVelocity }: ExactFlow<A>,
  { row, step }: { readonly row: number; readonly step: number },
  out: Float64Array,
): void {
  const stored = Math.min(step, lastStep[row]!);
  const { states, places } = evaluated[stored]!;
  const start = places[row]! * elements;
  const ahead = times[step]! - times[stored]!;
  for (let k = 0; k < elements; k++) out[k] = states[start + k]! + ahead * lastVelocity[row * elements + k]!;
}

/** A row of a flow. */
export interface FlowRow<A extends FloatArray> {
  readonly flow: ExactFlow<A>;
  readonly row: number;
}

/**
 * How far two trajectories over the same times are apart, in latent units: the integral over time of |a(t) - b(t)|, by the trapezoidal
 * rule on the times of the flows, float64.
 *
 * Source: [briq:26], appendix A.2.
 * @throws ShapeError if the flows differ in their sizes or in the number of times.
 */
export function pathDeviation<A extends FloatArray>(a: FlowRow<A>, b: FlowRow<A>): number {
  const { elements, times } = a.flow;
  if (b.flow.elements !== elements || b.flow.times.length !== times.length) {
    throw new ShapeError({
      expected: `flows of ${elements} elements at ${times.length} times`,
      got: `${b.flow.elements} elements at ${b.flow.times.length}`,
      where,
    });
  }
  const straight = Math.max(a.flow.lastStep[a.row]!, b.flow.lastStep[b.row]!);
  const [ofA, ofB] = [new Float64Array(elements), new Float64Array(elements)];
  const squares = new Float64Array(times.length);
  for (let step = 0; step <= straight; step++) {
    writeState(a.flow, { row: a.row, step }, ofA);
    writeState(b.flow, { row: b.row, step }, ofB);
    for (let k = 0; k < elements; k++) squares[step]! += (ofA[k]! - ofB[k]!) ** 2;
  }
  // Where both go straight, the square of their distance is a polynomial of the second degree.
  let [inner, square] = [0, 0];
  for (let k = 0; k < elements; k++) {
    const velocity = a.flow.lastVelocity[a.row * elements + k]! - b.flow.lastVelocity[b.row * elements + k]!;
    inner += (ofA[k]! - ofB[k]!) * velocity;
    square += velocity * velocity;
  }
  for (let step = straight + 1; step < times.length; step++) {
    const ahead = times[step]! - times[straight]!;
    squares[step] = Math.max(0, squares[straight]! + ahead * (2 * inner + ahead * square));
  }
  let sum = 0;
  for (let step = 1; step < times.length; step++) {
    sum += ((times[step]! - times[step - 1]!) * (Math.sqrt(squares[step]!) + Math.sqrt(squares[step - 1]!))) / 2;
  }
  return sum;
}
