/** Measures how straight the flows of trained runs are. */
import { ConfigError } from '../errors.ts';
import { estimateDifference, estimateMean } from '../numerics/estimate.ts';
import { buildSolver } from './build.ts';
import { writeCurvatureFiles } from './curvature-files.ts';
import type { CurvatureOutcome, CurvatureRequest, FlowRequest, RunCurvature } from './curvature-request.ts';
import { combineMeasures, mapMeasures } from './flow-measures.ts';
import { type FlowProgress, type MeasuredFlow, measureFlow } from './measure-flow.ts';
import { parameterGroup } from './run-parameters.ts';
import { namesOfRuns } from './run-path.ts';
import { labelsInTurn, openRunModel, openTrainedRun, type TrainedRun, withSampler } from './trained-run.ts';

/** Tolerances of the reference solutions. */
const reference = { relativeTolerance: 1e-5, absoluteTolerance: 1e-5 } as const;

/** @throws ConfigError unless there are runs, and counts and seeds that fit together. */
function checkRequest({ runs, firstSeed, samples, referenceSamples }: CurvatureRequest): void {
  const fault = (expected: string, got: string | number) =>
    new ConfigError({ expected, got: `${got}`, where: 'experiments/analyze-curvature' });
  if (runs.length === 0) throw fault('at least one run', 'none');
  if (!(samples >= 2)) throw fault('at least two samples, to tell the error of a mean', samples);
  if (!(referenceSamples >= 2 && referenceSamples <= samples)) {
    throw fault(`2 to ${samples} samples to be compared with a reference`, referenceSamples);
  }
  if (firstSeed + samples > 2 ** 32) throw fault('seeds below 2^32', firstSeed + samples - 1);
}

/** A run's estimates, and the values that they are made of. */
interface Measured {
  readonly result: Omit<RunCurvature, 'difference'>;
  readonly values: MeasuredFlow['measures'];
}

async function measureRun(
  run: TrainedRun,
  { directory, labels, sampling, solverErrors, runtime }: FlowRequest,
  request: CurvatureRequest & { readonly name: string },
): Promise<Measured> {
  const { name, samples, firstSeed, signal, onEvent } = request;
  const { config, checkpoint } = run;
  const { model, data } = await openRunModel(config);
  const guidance = sampling.guidance ?? 1;
  const group = parameterGroup(config, request.ema);
  const trajectory = buildSolver(sampling.solver);
  const flow = {
    seeds: Uint32Array.from({ length: samples }, (_, i) => firstSeed + i),
    labels: labels === null ? labelsInTurn(samples, model.classes) : Int32Array.from(labels),
    guidance,
    signal,
  };
  const plan = {
    flow,
    trajectory,
    solvers: solverErrors.map(({ evaluations, solver }) => ({ evaluations, setup: buildSolver(solver) })),
    reference,
    referenceSamples: request.referenceSamples,
    batch: sampling.batchSize,
    onProgress: ({ part, ...progress }: FlowProgress) =>
      onEvent({ kind: 'work', what: `${name}: ${part}`, unit: 'samples', ...progress }),
  };
  const options = { model, group, batch: sampling.batchSize, runtime };
  const measured = await withSampler(run, options, (sampler) => measureFlow(sampler, plan));
  return {
    values: measured.measures,
    result: {
      directory,
      name,
      coupling: config.coupling,
      imagesSeen: checkpoint.facts.imagesSeen,
      parameters: group,
      elements: data.shape.reduce((a, b) => a * b, 1),
      labels: flow.labels === null ? null : [...new Set(flow.labels)],
      guidance,
      solver: sampling.solver,
      times: [...trajectory.grid],
      ...evaluationsOf(measured, guidance === 1 ? 1 : 2),
      curvature: measured.curvature,
      measures: mapMeasures(measured.measures, estimateMean),
    },
  };
}

/** Evaluations of the model, where the field counts its own: a guided field takes the model twice. */
function evaluationsOf({ trajectoryEvaluations, referenceEvaluations }: MeasuredFlow, perEvaluation: 1 | 2) {
  return {
    evaluations: perEvaluation * trajectoryEvaluations,
    reference: {
      solver: 'dopri5' as const,
      ...reference,
      meanEvaluations: perEvaluation * estimateMean(referenceEvaluations).mean,
      mostEvaluations: perEvaluation * Math.max(...referenceEvaluations),
    },
  };
}

function withDifference({ result, values }: Measured, first: Measured): RunCurvature {
  const noise = ({ elements, labels }: Measured['result']) => JSON.stringify([elements, labels]);
  const comparable = values !== first.values && noise(result) === noise(first.result);
  return { ...result, difference: comparable ? combineMeasures(values, first.values, estimateDifference) : null };
}

/**
 * Measures the runs of a request on the same noise, one after the other, and writes the results as files.
 * @throws ConfigError if the request does not fit the runs; CheckpointError if one has no whole checkpoint; NumericalError if a
 *   reference does not converge.
 */
export async function analyzeCurvature(request: CurvatureRequest): Promise<CurvatureOutcome> {
  const started = performance.now();
  checkRequest(request);
  const names = namesOfRuns(request.runs.map(({ directory }) => directory));
  // Every run is opened before the first is measured, so that a mistake shows at once.
  const opened: TrainedRun[] = [];
  for (const { directory } of request.runs) opened.push(await openTrainedRun(directory));
  const measured: Measured[] = [];
  for (const [i, run] of opened.entries()) {
    measured.push(await measureRun(run, request.runs[i]!, { ...request, name: names[i]! }));
  }
  const runs = measured.map((one) => withDifference(one, measured[0]!));
  const paths = writeCurvatureFiles(request.outDirectory, runs, request.firstSeed);
  return { firstSeed: request.firstSeed, runs, seconds: (performance.now() - started) / 1000, paths };
}
