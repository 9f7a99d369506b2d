/** What a solver of ordinary differential equations is, and what all of them share: checks and counted evaluations. */

import { ConfigError, NumericalError, ShapeError } from '../../errors.ts';

/** Arrays that hold states; a solver works and answers in the type that it is given. */
export type FloatArray = Float32Array | Float64Array;

/**
 * The right-hand side of dx/dt = v(x, t) for a batch. Row r of the result depends on row r of `x` and `time[r]` alone.
 *
 * The solver owns the arguments: they hold their values until the promise settles, and are then written over. The result is
 * copied at once, so a field may give the same array each time.
 * @param x       [batch, elements].
 * @param time    float64 [batch].
 * @param active  uint8 [batch]; rows with 0 are finished, and what the field gives for them is not read.
 * @returns velocities like `x`.
 */
export type VelocityField<A extends FloatArray> = (x: A, time: Float64Array, active: Uint8Array) => Promise<A>;

/** An initial value problem for a batch of independent samples. */
export interface InitialValueProblem<A extends FloatArray> {
  readonly field: VelocityField<A>;
  /** States at the grid's first time, [batch, elements]. Not changed. */
  readonly x0: A;
  /** Number of samples; `x0.length` is a multiple of it. */
  readonly batch: number;
}

/** What to return besides the last states. */
export interface SolveOptions {
  /** Whether to return the states at every time of the grid. Default false. */
  readonly trajectory?: boolean;
}

/** Outcome of a solver. Counts are per sample, [batch]. */
export interface Solution<A extends FloatArray> {
  /** States at `time`, [batch, elements]. */
  readonly x: A;
  /** Time that each sample reached: the grid's last one if it converged. Float64 [batch]. */
  readonly time: Float64Array;
  /** Whether all samples reached the grid's last time within the limits. */
  readonly converged: boolean;
  /** Evaluations of the field that each sample needed (its NFE). */
  readonly evaluations: Int32Array;
  /** Calls of the field for the batch: what the clock sees. */
  readonly modelCalls: number;
  readonly accepted: Int32Array;
  readonly rejected: Int32Array;
  /** States at each time of the grid, if asked for; a sample that did not get so far repeats its last state. */
  readonly trajectory: readonly A[] | null;
}

/** Coefficients of an explicit Runge-Kutta method with s stages, as in [hairer:93], section II.1. */
export interface ButcherTableau {
  /** Order p of the global error. */
  readonly order: number;
  /** c_i: where in the step stage i is evaluated, [s]; the first is 0. */
  readonly nodes: readonly number[];
  /** a_ij: share of slope j in the state of stage i, [s][i]; the first row is empty. */
  readonly matrix: readonly (readonly number[])[];
  /** b_i: share of slope i in the step, [s]. */
  readonly weights: readonly number[];
}

/** A method for initial value problems. */
export interface Solver {
  readonly name: string;
  /** Order p of the global error, O(h^p). */
  readonly order: number;
  /** Evaluations of a step on the grid; null if the solver chooses its own steps. */
  readonly evaluationsPerStep: number | null;
  /** Coefficients of its steps between neighbouring times of the grid; null if it is not such a method. */
  readonly tableau: ButcherTableau | null;
  /**
   * Follows the field from the grid's first time to its last. Fixed-step solvers take one step between neighbouring times;
   * adaptive ones use the ends as interval and the times between them for the trajectory only.
   * @param grid  float64, at least two times, strictly increasing or strictly decreasing.
   * @throws ShapeError if `x0` or a velocity has a wrong size; ConfigError if the grid is not monotonic; NumericalError if a
   *   velocity is not finite.
   */
  solve<A extends FloatArray>(
    problem: InitialValueProblem<A>,
    grid: Float64Array,
    options?: SolveOptions,
  ): Promise<Solution<A>>;
}

/** A new array of the same type and length. */
export function emptyLike<A extends FloatArray>(array: A): A {
  // A float array's own constructor gives its own type.
  return (array instanceof Float32Array ? new Float32Array(array.length) : new Float64Array(array.length)) as A;
}

/** A copy of the same type. */
export function copyOf<A extends FloatArray>(array: A): A {
  const copy = emptyLike(array);
  copy.set(array);
  return copy;
}

/** Elements of a sample, at least one. @throws ShapeError if `x0` is no [batch, elements]. */
export function elementsPerSample({ x0, batch }: { readonly x0: FloatArray; readonly batch: number }): number {
  if (Number.isInteger(batch) && batch > 0 && x0.length > 0 && x0.length % batch === 0) return x0.length / batch;
  throw new ShapeError({
    expected: `\`x0\` to be [batch, elements] with batch = ${batch}`,
    got: `${x0.length} numbers`,
    where: 'sampling/solvers',
  });
}

/** Checks a solver's grid. @throws ConfigError if it is not strictly increasing or strictly decreasing. */
export function checkMonotonic(grid: Float64Array): void {
  const direction = Math.sign(grid.at(-1)! - grid[0]!);
  let monotonic = grid.length >= 2 && direction !== 0 && grid.every(Number.isFinite);
  for (let i = 1; i < grid.length; i++) monotonic &&= (grid[i]! - grid[i - 1]!) * direction > 0;
  if (monotonic) return;
  throw new ConfigError({
    expected: 'the times of a grid to be at least two, strictly increasing or strictly decreasing',
    got: grid.length > 8 ? `${Array.from(grid.subarray(0, 8)).join(', ')}, ...` : `[${Array.from(grid).join(', ')}]`,
    where: 'sampling/solvers',
  });
}

/** A field with its evaluations counted and its results checked and copied. */
export interface CountedField<A extends FloatArray> {
  /** Per sample, int32 [batch]. */
  readonly evaluations: Int32Array;
  readonly calls: () => number;
  /** Writes the velocities of active rows at `x` and `time` into `out`; the other rows of `out` stay. */
  evaluate(x: A, time: Float64Array, out: A): Promise<void>;
}

/**
 * Wraps a problem's field.
 * @param active  uint8 [batch], read at every evaluation: rows with 0 are neither counted nor checked nor copied.
 */
export function countedField<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  active: Uint8Array,
): CountedField<A> {
  const elements = elementsPerSample(problem);
  const evaluations = new Int32Array(problem.batch);
  let calls = 0;
  return {
    evaluations,
    calls: () => calls,
    async evaluate(x, time, out) {
      const velocity = await problem.field(x, time, active);
      calls++;
      checkVelocity(velocity, x);
      for (let row = 0; row < problem.batch; row++) {
        if (active[row] === 0) continue;
        evaluations[row]!++;
        const part = velocity.subarray(row * elements, (row + 1) * elements);
        checkFinite(part, row, time[row]!);
        out.set(part, row * elements);
      }
    },
  };
}

function checkVelocity(velocity: FloatArray, x: FloatArray): void {
  if (velocity.length === x.length && velocity.constructor === x.constructor) return;
  throw new ShapeError({
    expected: `the field to give ${x.constructor.name} [${x.length}] like \`x\``,
    got: `${velocity.constructor.name} [${velocity.length}]`,
    where: 'sampling/solvers',
  });
}

function checkFinite(velocity: FloatArray, row: number, time: number): void {
  for (let i = 0; i < velocity.length; i++) {
    if (Number.isFinite(velocity[i]!)) continue;
    throw new NumericalError({
      expected: 'velocities to be finite',
      got: `${velocity[i]} in element ${i} of sample ${row} at time ${time}`,
      where: 'sampling/solvers',
    });
  }
}
