/** Bounds the distance between what trained runs generate and what the exact field of their data would. */
import { resolve } from 'node:path';
import { pairwiseBounds, wassersteinBound } from '../analysis/error-bound.ts';
import type { LipschitzEstimate } from '../analysis/lipschitz.ts';
import { matchedDistance } from '../analysis/matched-distance.ts';
import { ConfigError } from '../errors.ts';
import { writeBoundsFiles } from './bounds-files.ts';
import { boundsPoints, openRememberedField } from './bounds-points.ts';
import type { BoundedRun, BoundsOutcome, BoundsPlan, BoundsRequest, RunBounds } from './bounds-request.ts';
import { type BoundsProgress, type BoundsSubject, type MeasuredRun, measureBounds } from './measure-bounds.ts';
import { openRunData, type RunData } from './run-data.ts';
import { parameterGroup } from './run-parameters.ts';
import { namesOfRuns } from './run-path.ts';
import { openRunModel, openTrainedRun } from './trained-run.ts';

const where = 'experiments/analyze-bounds';

/** @throws ConfigError unless there are runs, and counts that fit together. */
function checkRequest({ runs, samples, jacobians, times, matched, seed }: BoundsRequest): void {
  const fault = (expected: string, got: string | number) => new ConfigError({ expected, got: `${got}`, where });
  if (runs.length === 0) throw fault('at least one run', 'none');
  if (!(samples >= 2)) throw fault('at least two points, to tell the error of a mean', samples);
  if (!(jacobians >= 1 && jacobians <= samples)) throw fault(`1 to ${samples} points for the norms`, jacobians);
  if (!(times >= 1)) throw fault('at least one time', times);
  if (matched === 1) throw fault('no samples, or at least two', matched);
  if (seed + matched > 2 ** 32) throw fault('seeds below 2^32', seed + matched - 1);
}

/** A run of the request with its name; of the one that only lends its Lipschitz constants, nothing else is measured. */
interface NamedSubject extends BoundsSubject {
  readonly name: string;
}

/** The plan of a request alone. */
function planOf(request: BoundsRequest): BoundsPlan {
  const { points, times, samples, jacobians, tolerance, maxIterations, matched, seed, ema } = request;
  return { points, times, samples, jacobians, tolerance, maxIterations, matched, seed, ema };
}

const same = (a: BoundedRun, b: BoundedRun) => resolve(a.directory) === resolve(b.directory);

/** Opens every run before the first is measured, so that a mistake shows at once. */
async function openSubjects({ runs, lipschitzFrom, ema }: BoundsRequest): Promise<NamedSubject[]> {
  const lender = lipschitzFrom !== null && !runs.some((run) => same(run, lipschitzFrom)) ? [lipschitzFrom] : [];
  const all = [...runs, ...lender];
  const names = namesOfRuns(all.map(({ directory }) => directory));
  const subjects: NamedSubject[] = [];
  for (const [i, bounded] of all.entries()) {
    const run = await openTrainedRun(bounded.directory);
    const { model } = await openRunModel(run.config);
    const parts = { errors: i < runs.length, lipschitz: lipschitzFrom === null || same(bounded, lipschitzFrom) };
    subjects.push({ ...bounded, run, model, group: parameterGroup(run.config, ema), parts, name: names[i]! });
  }
  return subjects;
}

/** @throws ConfigError unless all networks work on data of the reference's shape. */
function checkShapes(subjects: readonly NamedSubject[], { shape }: RunData, reference: string): void {
  const wrong = subjects.find(({ model }) => model.input.shape.join() !== shape.join());
  if (wrong === undefined) return;
  throw new ConfigError({
    expected: `runs on data of the shape [${shape.join(', ')}], as \`${reference}\` has them`,
    got: `[${wrong.model.input.shape.join(', ')}] of \`${wrong.directory}\``,
    where,
    remedy: 'runs on the same kind of data',
  });
}

/** Calls of a network that the parts of a run take, for the time that is left. */
function workOf(
  { model: _model, sampling, parts }: BoundsSubject,
  plan: BoundsPlan,
): { [P in BoundsProgress['part']]: number } {
  const { times, samples, jacobians, matched } = plan;
  const { solver, batchSize } = sampling;
  const steps = 'steps' in solver ? 2 * solver.steps : 100;
  // A norm takes about 18 products as a rule, and a product as much as three calls.
  return {
    'velocity errors': parts.errors ? (times * samples) / batchSize : 0,
    samples: parts.errors ? Math.ceil(matched / batchSize) * steps : 0,
    'spectral norms': parts.lipschitz ? (54 * times * jacobians) / batchSize : 0,
  };
}

/** Tells the progress of one run after another, with the time until the end of all. */
function createTelling({ onEvent }: BoundsRequest, subjects: readonly NamedSubject[], plan: BoundsPlan) {
  const began = performance.now();
  const works = subjects.map((subject) => workOf(subject, plan));
  const all = works.reduce((sum, work) => sum + work['velocity errors'] + work.samples + work['spectral norms'], 0);
  const finished = new Map<string, number>();
  return (index: number, { part, done, count }: BoundsProgress) => {
    finished.set(`${index} ${part}`, (works[index]![part] * done) / count);
    const worked = [...finished.values()].reduce((sum, one) => sum + one, 0);
    const secondsLeft = worked === 0 ? Number.NaN : ((performance.now() - began) / 1000 / worked) * (all - worked);
    const { name } = subjects[index]!;
    const unit = part === 'velocity errors' ? 'batches' : part === 'samples' ? 'samples' : 'norms';
    onEvent({ kind: 'work', what: `${name}: ${part}`, done, count, unit, secondsLeft });
  };
}

interface Measured {
  readonly subject: NamedSubject;
  readonly measured: MeasuredRun;
}

async function measureAll(request: BoundsRequest, subjects: readonly NamedSubject[], data: RunData) {
  const plan = planOf(request);
  const points = await boundsPoints(data, plan, request.reference);
  const exact = await openRememberedField(data, subjects[0]!.runtime);
  const tell = createTelling(request, subjects, plan);
  const results: Measured[] = [];
  try {
    for (const [i, subject] of subjects.entries()) {
      const onProgress = tell.bind(null, i);
      const measured = await measureBounds(subject, { plan, points, exact, signal: request.signal, onProgress });
      results.push({ subject, measured });
    }
    return { results, count: exact.count };
  } finally {
    exact.release();
  }
}

/** The run whose Lipschitz constants a run is given: the lender, or itself. */
function lenderOf(subject: NamedSubject, results: readonly Measured[]): { name: string; estimate: LipschitzEstimate } {
  const lenders = results.flatMap(({ subject: { name }, measured: { lipschitz } }) =>
    lipschitz === null ? [] : [{ name, estimate: lipschitz }],
  );
  return lenders.find(({ name }) => name === subject.name) ?? lenders[0]!;
}

function boundsOf({ subject, measured }: Measured, results: readonly Measured[]): RunBounds[] {
  const { velocityErrors } = measured;
  if (velocityErrors === null) return [];
  const { name: lipschitzOf, estimate } = lenderOf(subject, results);
  const errors = {
    times: velocityErrors.map(({ time }) => time),
    squares: velocityErrors.map(({ square }) => square.mean),
  };
  return [
    {
      directory: subject.directory,
      name: subject.name,
      imagesSeen: subject.run.checkpoint.facts.imagesSeen,
      parameters: subject.group,
      lipschitzOf,
      velocityErrors,
      bound: wassersteinBound(estimate.medianGrowth, errors),
      maximumBound: wassersteinBound(estimate.maximumGrowth, errors),
    },
  ];
}

/** Distances of all pairs of runs; null where no samples were made. */
function matchedMatrix(results: readonly Measured[], elements: number): BoundsOutcome['matched'] {
  const samples = results.flatMap(({ measured }) => (measured.samples === null ? [] : [measured.samples]));
  if (samples.length === 0) return null;
  return samples.map((one) => samples.map((other) => matchedDistance(one, other, elements)));
}

/**
 * Measures the runs of a request at the same points, one after the other, and writes the results as files.
 * @throws ConfigError if the request does not fit the runs, or held-out data are wanted and there are none; CheckpointError if a run has no
 *   whole checkpoint; NumericalError if a network is not finite.
 */
export async function analyzeBounds(request: BoundsRequest): Promise<BoundsOutcome> {
  const started = performance.now();
  checkRequest(request);
  const subjects = await openSubjects(request);
  const data = await openRunData((await openTrainedRun(request.reference)).config);
  checkShapes(subjects, data, request.reference);
  const { results, count } = await measureAll(request, subjects, data);
  const runs = results.flatMap((one) => boundsOf(one, results));
  const found = {
    plan: planOf(request),
    reference: request.reference,
    data: count,
    elements: data.rows.elements,
    runs,
    lipschitz: results.flatMap(({ subject: { name }, measured: { lipschitz } }) =>
      lipschitz === null ? [] : [{ name, estimate: lipschitz }],
    ),
    pairwise: pairwiseBounds(runs.map(({ bound }) => bound.bound)),
    matched: matchedMatrix(results, data.rows.elements),
  };
  const paths = writeBoundsFiles(request.outDirectory, found);
  return { ...found, seconds: (performance.now() - started) / 1000, paths };
}
