/** Measures the flow of a sampler over many seeds, batch by batch. */
import {
  type IntervalCurvature,
  intervalCurvature,
  meanByInterval,
  trajectoryCurvature,
} from '../analysis/curvature.ts';
import { type FlowTrajectory, followFlow } from '../analysis/flow-trajectory.ts';
import { type ReferenceOptions, referenceSamples, solverError } from '../analysis/solver-error.ts';
import { relativeStraightness, straightness } from '../analysis/straightness.ts';
import type { Estimate } from '../numerics/estimate.ts';
import type { FlowProblem, FlowRequest, Sampler } from '../sampling/sampler.ts';
import type { SolverSetup } from './build.ts';
import type { FlowMeasures, SolverErrorMeasures } from './flow-measures.ts';

/** How much of a part of the measurement is done. */
export interface FlowProgress {
  readonly part: 'solver errors' | 'trajectories';
  readonly done: number;
  readonly count: number;
  /** Until the end of all parts; NaN at the start, when nothing has been timed. */
  readonly secondsLeft: number;
}

export interface FlowPlan {
  /** Seeds, labels and guidance of the trajectories. */
  readonly flow: FlowRequest;
  /** Solver and times of the trajectories. */
  readonly trajectory: SolverSetup;
  /** Solvers whose errors are measured, by evaluations of the model. */
  readonly solvers: readonly { readonly evaluations: number; readonly setup: SolverSetup }[];
  readonly reference: ReferenceOptions;
  /** Samples from the first on whose solver error is measured. */
  readonly referenceSamples: number;
  /** Samples in a batch of the sampler. */
  readonly batch: number;
  readonly onProgress: (progress: FlowProgress) => void;
}

export interface MeasuredFlow {
  /** Values by seed. */
  readonly measures: FlowMeasures<Float64Array>;
  readonly curvature: readonly Estimate[];
  /** Evaluations of the field for a trajectory, those at its times included. */
  readonly trajectoryEvaluations: number;
  /** Evaluations of the field for each reference. */
  readonly referenceEvaluations: Int32Array;
}

/** Counts the calls of fields, by whose rate the time left is told. */
interface Pace {
  counted(problem: FlowProblem): FlowProblem;
  readonly calls: () => number;
  secondsFor(calls: number): number;
}

function createPace(): Pace {
  const begun = performance.now();
  let calls = 0;
  return {
    counted: ({ field, ...rest }) => ({
      ...rest,
      field: (...given) => {
        calls++;
        return field(...given);
      },
    }),
    calls: () => calls,
    secondsFor: (more) => ((performance.now() - begun) / 1000 / Math.max(1, calls)) * more,
  };
}

/** Calls of the field for a batch's trajectories. */
function callsOf({ solver, grid }: SolverSetup): number {
  return (solver.evaluationsPerStep ?? 1) * (grid.length - 1) + grid.length;
}

function concatenated(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** Measures of a batch's trajectories, its filling left out. */
function measureTrajectories(trajectory: FlowTrajectory<Float32Array>, count: number) {
  const { values, intervals } = intervalCurvature(trajectory);
  return {
    curvature: values.slice(0, count * intervals),
    straightness: straightness(trajectory).slice(0, count),
    relativeStraightness: relativeStraightness(trajectory).slice(0, count),
  };
}

async function measureAllTrajectories(sampler: Sampler, plan: FlowPlan, pace: Pace) {
  const { flow, trajectory: setup, batch, onProgress } = plan;
  const count = flow.seeds.length;
  const parts: ReturnType<typeof measureTrajectories>[] = [];
  let evaluations = 0;
  let done = 0;
  for (const problem of sampler.problems(flow)) {
    const trajectory = await followFlow(pace.counted(problem), setup.solver, setup.grid);
    parts.push(measureTrajectories(trajectory, problem.seeds.length));
    evaluations = trajectory.evaluations[0]!;
    done += problem.seeds.length;
    const secondsLeft = pace.secondsFor(Math.ceil((count - done) / batch) * callsOf(setup));
    onProgress({ part: 'trajectories', done, count, secondsLeft });
  }
  const curvature: IntervalCurvature = {
    values: concatenated(parts.map((part) => part.curvature)),
    intervals: setup.grid.length - 1,
  };
  return {
    evaluations,
    curvature,
    straightness: concatenated(parts.map((part) => part.straightness)),
    relativeStraightness: concatenated(parts.map((part) => part.relativeStraightness)),
  };
}

/** Errors of all solvers on a batch, its filling left out. */
async function measureErrors(problem: FlowProblem, { solvers, reference: options }: FlowPlan) {
  const count = problem.seeds.length;
  const reference = await referenceSamples(problem, options);
  const errors: SolverErrorMeasures<Float64Array>[] = [];
  for (const { evaluations, setup } of solvers) {
    const { rootMeanSquare, distance } = await solverError(problem, setup, reference);
    errors.push({
      evaluations,
      rootMeanSquare: rootMeanSquare.slice(0, count),
      distance: distance.slice(0, count),
    });
  }
  return { errors, evaluations: reference.evaluations.slice(0, count) };
}

async function measureAllErrors(sampler: Sampler, plan: FlowPlan, pace: Pace) {
  const { flow, trajectory, solvers, batch, onProgress } = plan;
  const [count, all] = [plan.referenceSamples, flow.seeds.length];
  const labels = flow.labels?.slice(0, count) ?? null;
  const parts: Awaited<ReturnType<typeof measureErrors>>[] = [];
  let done = 0;
  onProgress({ part: 'solver errors', done, count, secondsLeft: Number.NaN });
  for (const problem of sampler.problems({ ...flow, seeds: flow.seeds.slice(0, count), labels })) {
    parts.push(await measureErrors(pace.counted(problem), plan));
    done += problem.seeds.length;
    const more = Math.ceil((count - done) / batch) * (pace.calls() / parts.length);
    const secondsLeft = pace.secondsFor(more + Math.ceil(all / batch) * callsOf(trajectory));
    onProgress({ part: 'solver errors', done, count, secondsLeft });
  }
  return {
    evaluations: Int32Array.from(parts.flatMap((part) => [...part.evaluations])),
    errors: solvers.map(({ evaluations }, k) => ({
      evaluations,
      rootMeanSquare: concatenated(parts.map(({ errors }) => errors[k]!.rootMeanSquare)),
      distance: concatenated(parts.map(({ errors }) => errors[k]!.distance)),
    })),
  };
}

/**
 * Measures curvature, straightness and solver errors.
 * @throws NumericalError if a reference does not converge or a velocity is 0; the signal's reason if it aborts.
 */
export async function measureFlow(sampler: Sampler, plan: FlowPlan): Promise<MeasuredFlow> {
  const pace = createPace();
  const errors = await measureAllErrors(sampler, plan, pace);
  const trajectories = await measureAllTrajectories(sampler, plan, pace);
  const { mean, sum, turning } = trajectoryCurvature(trajectories.curvature);
  return {
    measures: {
      curvatureMean: mean,
      curvatureSum: sum,
      turning,
      straightness: trajectories.straightness,
      relativeStraightness: trajectories.relativeStraightness,
      solverErrors: errors.errors,
    },
    curvature: meanByInterval(trajectories.curvature),
    trajectoryEvaluations: trajectories.evaluations,
    referenceEvaluations: errors.evaluations,
  };
}
