/**
 * dopri5: the adaptive solver of order 5(4) by Dormand and Prince. Rows of the batch belong to groups that share step sizes:
 * by default each sample is a group of its own; torchdiffeq's controller has the whole batch in one.
 */

import { ConfigError } from '../../errors.ts';
import {
  dormandPrince,
  errorNorm,
  evaluateStages,
  interpolate,
  type StepMemory,
  stepMemory,
  type Tolerances,
} from './dormand-prince.ts';
import { addSlopes } from './explicit-runge-kutta.ts';
import {
  type CountedField,
  checkMonotonic,
  copyOf,
  countedField,
  elementsPerSample,
  emptyLike,
  type FloatArray,
  type InitialValueProblem,
  type Solution,
  type SolveOptions,
  type Solver,
} from './solver.ts';

/** Settings of `dopri5`. */
export interface Dopri5Options {
  /** Error allowed per step, relative to the state's magnitude. Default 1e-5. */
  readonly relativeTolerance?: number;
  /** Error allowed per step at magnitude zero, in the state's units. Default 1e-5. */
  readonly absoluteTolerance?: number;
  /** Most evaluations of a sample; a sample that needs more stops where it is, and the solution is not converged. Default 10,000. */
  readonly maxEvaluations?: number;
  /**
   * 'per-sample' (default): each sample has its own steps and error norm, so its result does not depend on its batch, and
   * the last step ends at the grid's last time, so the field is never evaluated outside the interval.
   * 'torchdiffeq': one step size and error norm for the whole batch, and a last step that overshoots and is interpolated
   * back, as torchdiffeq does. For reproducing numbers of papers: the field is evaluated beyond the interval.
   */
  readonly controller?: 'per-sample' | 'torchdiffeq';
}

type Settings = Required<Dopri5Options>;

// Step size control of [hairer:93], section II.4, with torchdiffeq's constants.
const SAFETY = 0.9;
const MOST_GROWTH = 10;
const MOST_SHRINKAGE = 0.2;
/** Evaluations before the first step: the slope at the start, and one to guess the step size. */
const STARTING_EVALUATIONS = 2;
const EVALUATIONS_PER_STEP = 6;
/** A step to within a hundredth of itself before the interval's end goes to the end. */
const STRETCH = 1.01;
/** Smallest step, relative to the times: below it, time + step loses its digits. */
const SMALLEST_STEP = 16 * Number.EPSILON;

/** Rows [first, last) that share their steps. */
interface Group {
  readonly first: number;
  readonly last: number;
  /** Size of the next step, > 0. */
  size: number;
  accepted: number;
  rejected: number;
  /** Index of the first time of the grid that has not been passed. */
  nextTime: number;
}

/** Everything that a run carries along. */
interface Run<A extends FloatArray> {
  readonly memory: StepMemory<A>;
  readonly field: CountedField<A>;
  readonly groups: readonly Group[];
  readonly grid: Float64Array;
  /** +1 from small to large times, -1 the other way. */
  readonly direction: number;
  readonly elements: number;
  readonly settings: Settings;
  /** States at the times of the grid; without a trajectory only the last is kept. */
  readonly passed: readonly (A | null)[];
}

/** Root mean square of values over the tolerances at `x`. */
function scaledNorm(
  value: (i: number) => number,
  x: FloatArray,
  { relativeTolerance, absoluteTolerance, begin, end }: Tolerances & { readonly begin: number; readonly end: number },
): number {
  let squares = 0;
  for (let i = begin; i < end; i++)
    squares += (value(i) / (absoluteTolerance + relativeTolerance * Math.abs(x[i]!))) ** 2;
  return Math.sqrt(squares / (end - begin));
}

/** Sets each group's first step size from the sizes of state, slope and change of slope: [hairer:93], section II.4. */
async function chooseFirstSteps<A extends FloatArray>(run: Run<A>): Promise<void> {
  const { memory, field, groups, grid, direction, elements, settings } = run;
  const { x, stage, time, slopes } = memory;
  const slope: A = slopes[0]!;
  const probe: A = slopes[1]!;
  await field.evaluate(x, time, slope);
  const spans = groups.map(({ first, last }) => ({ ...settings, begin: first * elements, end: last * elements }));
  const length = Math.abs(grid.at(-1)! - grid[0]!);
  const trials = spans.map((span, index) => {
    const d0 = scaledNorm((i) => x[i]!, x, span);
    const d1 = scaledNorm((i) => slope[i]!, x, span);
    const wanted = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : (0.01 * d0) / d1;
    const size = settings.controller === 'per-sample' ? Math.min(wanted, length / 2) : wanted;
    const step = direction * size;
    time.fill(grid[0]! + step, groups[index]!.first, groups[index]!.last);
    addSlopes({ x, step, slopes, weights: [1] }, stage, [span.begin, span.end]);
    return { d1, size };
  });
  await field.evaluate(stage, time, probe);
  for (const [index, { d1, size }] of trials.entries()) {
    const d2 = scaledNorm((i) => probe[i]! - slope[i]!, x, spans[index]!) / size;
    const curved = d1 > 1e-15 || d2 > 1e-15;
    const guess = curved ? (0.01 / Math.max(d1, d2)) ** (1 / dormandPrince.order) : Math.max(1e-6, size * 1e-3);
    groups[index]!.size = Math.min(100 * size, guess);
  }
}

/** Stops a group where it is: its rows hold their last state and time and are not evaluated any more. */
function freeze<A extends FloatArray>({ memory, elements }: Run<A>, { first, last }: Group): void {
  const { x, stage, time, from, active } = memory;
  active.fill(0, first, last);
  stage.set(x.subarray(first * elements, last * elements), first * elements);
  time.set(from.subarray(first, last), first);
}

/** Sets the ends of the group's next step, or stops the group if it may not or cannot make one. */
function prepareStep<A extends FloatArray>(run: Run<A>, group: Group): void {
  const { memory, field, grid, direction, settings } = run;
  const end = grid.at(-1)!;
  const from = memory.from[group.first]!;
  const clips = settings.controller === 'per-sample' && STRETCH * group.size >= Math.abs(end - from);
  const to = clips ? end : from + direction * group.size;
  memory.to.fill(to, group.first, group.last);
  const spent = field.evaluations[group.first]! + EVALUATIONS_PER_STEP > settings.maxEvaluations;
  const stuck = !(Math.abs(to - from) > SMALLEST_STEP * Math.max(Math.abs(from), Math.abs(to)));
  if (spent || stuck) freeze(run, group);
}

/** Factor between a step size and the next, from the error of the step; never below 1 after a good step. */
function growth(error: number): number {
  if (error === 0) return MOST_GROWTH;
  const least = error < 1 ? 1 : MOST_SHRINKAGE;
  const factor = SAFETY / error ** (1 / dormandPrince.order);
  return Number.isFinite(factor) ? Math.min(MOST_GROWTH, Math.max(factor, least)) : MOST_SHRINKAGE;
}

/** Keeps the states at the times of the grid that the group's step reaches. */
function passTimes<A extends FloatArray>(run: Run<A>, group: Group): void {
  const { memory, grid, direction, elements, passed } = run;
  const [from, to] = [memory.from[group.first]!, memory.to[group.first]!];
  const [begin, end] = [group.first * elements, group.last * elements];
  for (; group.nextTime < grid.length && (to - grid[group.nextTime]!) * direction >= 0; group.nextTime++) {
    const out = passed[group.nextTime]!;
    if (out === null) continue;
    const u = (grid[group.nextTime]! - from) / (to - from);
    if (u === 1) out.set(memory.stage.subarray(begin, end), begin);
    else interpolate(memory, { step: to - from, begin, end, u }, out);
  }
}

/** Accepts or rejects the group's step, chooses the next step's size, and stops the group at the interval's end. */
function judgeStep<A extends FloatArray>(run: Run<A>, group: Group): void {
  const { memory, grid, elements, settings } = run;
  const { x, stage, from, to, slopes } = memory;
  const [begin, end] = [group.first * elements, group.last * elements];
  const step = to[group.first]! - from[group.first]!;
  const error = errorNorm(memory, settings, { step, begin, end });
  group.size = Math.abs(step) * growth(error);
  if (!(error <= 1)) {
    group.rejected++;
    return;
  }
  group.accepted++;
  passTimes(run, group);
  x.set(stage.subarray(begin, end), begin);
  slopes[0]!.set(slopes[6]!.subarray(begin, end), begin);
  from.set(to.subarray(group.first, group.last), group.first);
  if (group.nextTime === grid.length) freeze(run, group);
}

function startRun<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  grid: Float64Array,
  options: SolveOptions & { readonly settings: Settings },
): Run<A> {
  const { settings, trajectory = false } = options;
  checkMonotonic(grid);
  const elements = elementsPerSample(problem);
  const memory = stepMemory(copyOf(problem.x0), problem.batch, grid[0]!);
  const rowsPerGroup = settings.controller === 'per-sample' ? 1 : problem.batch;
  const groups = Array.from({ length: problem.batch / rowsPerGroup }, (_, index) => ({
    first: index * rowsPerGroup,
    last: (index + 1) * rowsPerGroup,
    size: 0,
    accepted: 0,
    rejected: 0,
    nextTime: 1,
  }));
  const last = grid.length - 1;
  const keeps = (i: number) => i === last || trajectory;
  const passed = Array.from(grid, (_, i) => (keeps(i) ? emptyLike(problem.x0) : null));
  passed[0]?.set(problem.x0);
  const direction = Math.sign(grid[last]! - grid[0]!);
  return { memory, field: countedField(problem, memory.active), groups, grid, direction, elements, settings, passed };
}

/** The run's outcome; rows that stopped early give their last state and time. */
function finish<A extends FloatArray>(run: Run<A>, trajectory: boolean): Solution<A> {
  const { memory, field, groups, grid, elements, passed } = run;
  const batch = memory.active.length;
  const [accepted, rejected, time] = [new Int32Array(batch), new Int32Array(batch), memory.from.slice()];
  for (const { first, last, nextTime, ...group } of groups) {
    accepted.fill(group.accepted, first, last);
    rejected.fill(group.rejected, first, last);
    if (nextTime === grid.length) time.fill(grid.at(-1)!, first, last);
    const [begin, end] = [first * elements, last * elements];
    for (const states of passed.slice(nextTime)) states?.set(memory.x.subarray(begin, end), begin);
  }
  return {
    x: copyOf(passed.at(-1)!), // the last time is always kept
    time,
    converged: groups.every(({ nextTime }) => nextTime === grid.length),
    evaluations: field.evaluations,
    modelCalls: field.calls(),
    accepted,
    rejected,
    trajectory: trajectory ? passed.filter((states) => states !== null) : null,
  };
}

function checkSettings({ relativeTolerance, absoluteTolerance, maxEvaluations }: Settings): void {
  const least = STARTING_EVALUATIONS + EVALUATIONS_PER_STEP;
  if (relativeTolerance >= 0 && absoluteTolerance > 0 && maxEvaluations >= least) return;
  throw new ConfigError({
    expected: `relativeTolerance >= 0, absoluteTolerance > 0 and maxEvaluations >= ${least}`,
    got: `${relativeTolerance}, ${absoluteTolerance} and ${maxEvaluations}`,
    where: 'sampling/solvers/dopri5',
  });
}

/**
 * The adaptive solver of order 5(4) by Dormand and Prince, with a quartic interpolant for the times within the grid. A sample
 * takes 2 + 6 (accepted + rejected) evaluations. Batches run in step until their slowest sample is done; `active` tells the
 * field which rows still count.
 *
 * Sources: [dormand:80], [hairer:93] section II.4, [shampine:86]. Fails when: the field is stiff or not smooth (the limit of
 * evaluations is met), or tolerances are below the rounding of float32 states.
 * @throws ConfigError if a tolerance or limit is out of range.
 */
export function dopri5(options: Dopri5Options = {}): Solver {
  const {
    relativeTolerance = 1e-5,
    absoluteTolerance = 1e-5,
    maxEvaluations = 10_000,
    controller = 'per-sample',
  } = options;
  const settings = { relativeTolerance, absoluteTolerance, maxEvaluations, controller };
  checkSettings(settings);
  return {
    name: 'dopri5',
    order: dormandPrince.order,
    evaluationsPerStep: null,
    tableau: null,
    async solve(problem, grid, { trajectory = false } = {}) {
      const run = startRun(problem, grid, { settings, trajectory });
      await chooseFirstSteps(run);
      for (let running = run.groups; running.length > 0; ) {
        for (const group of running) prepareStep(run, group);
        running = running.filter(({ first }) => run.memory.active[first] === 1);
        if (running.length === 0) break;
        await evaluateStages(run.memory, run.field);
        for (const group of running) judgeStep(run, group);
        running = running.filter(({ first }) => run.memory.active[first] === 1);
      }
      return finish(run, trajectory);
    },
  };
}
