/** Looks at data through their exact field, and at a trained network beside it. */
import type { ImageStack } from '../data/image-grid.ts';
import { ConfigError } from '../errors.ts';
import { writeClosedFormFiles } from './closed-form-files.ts';
import type {
  AnalysedRun,
  ClosedFormOutcome,
  ClosedFormPart,
  ClosedFormRequest,
  ClosedFormResults,
} from './closed-form-request.ts';
import { type FieldData, openFieldData, resizedData, runFieldData, usualSizes } from './field-data.ts';
import { type AlignmentResult, measureAlignment } from './measure-alignment.ts';
import { measureFieldError } from './measure-field-error.ts';
import { measureHybrid } from './measure-hybrid.ts';
import { measureMemorisation, measureWithin } from './measure-memorisation.ts';
import { openRunData, type RunData } from './run-data.ts';
import { type TrainedField, withTrainedField } from './trained-field.ts';
import { openTrainedRun, type TrainedRun } from './trained-run.ts';

const fault = (expected: string, got: string, remedy?: string) =>
  new ConfigError({ expected, got, where: 'analyze closed-form', ...(remedy === undefined ? {} : { remedy }) });

/** @throws ConfigError unless the parts of a request fit what it is about. */
function checkRequest({ data, run, parts, size, count, samples, pairs }: ClosedFormRequest): void {
  if (data === null && run === null) throw fault('data, or a run', 'neither', 'fashion, or --run <folder>');
  const trained = parts.find((part) => part !== 'alignment');
  if (run === null && trained !== undefined) {
    throw fault('a run, to compare its network with the exact field', `${trained} without one`, '--run <folder>');
  }
  if (run !== null && (size !== null || count !== null)) {
    throw fault("the run's own data", size === null ? '--count' : '--size', 'to leave it out, or --run');
  }
  if (samples < 2 || pairs < 2) throw fault('two pairs and samples or more, to tell errors', `${pairs} and ${samples}`);
}

/** @throws ConfigError if a run was trained on other data. */
function checkData({ config }: TrainedRun, data: string | null): void {
  const { source } = config.data;
  if (data === null || data === source) return;
  throw fault(`the data of the run, ${source}`, data, 'to name the run alone');
}

const timesOf = (count: number) => Array.from({ length: count }, (_, k) => k / count);

/** The data at each size, or as they are. */
function atSizes(data: FieldData, { size, sizes }: ClosedFormRequest): FieldData[] {
  const wanted = sizes ?? (size === null ? usualSizes(data) : null);
  return wanted === null ? [data] : wanted.map((one) => resizedData(data, one));
}

async function measureAlignments(data: FieldData, request: ClosedFormRequest): Promise<AlignmentResult[]> {
  const results: AlignmentResult[] = [];
  const plan = { ...request, times: timesOf(request.times) };
  for (const one of atSizes(data, request)) results.push(await measureAlignment(one, plan));
  return results;
}

/** Results about a network, and pictures of hybrid samples. */
interface MeasuredNetwork {
  readonly results: Omit<ClosedFormResults, 'alignment'>;
  readonly picture: (ImageStack & { readonly columns: number }) | null;
}

/** Samples as pixels, where they are images. */
export async function pictureOf(
  { latent }: RunData,
  samples: Float32Array,
  columns: number,
): Promise<MeasuredNetwork['picture']> {
  if (latent === null) return null;
  const [channels, height, width] = latent.pixels as readonly [number, number, number]; // of a picture
  const pixels = await latent.decode(samples);
  return { pixels, shape: [pixels.length / (channels * height * width), channels, height, width], columns };
}

function factsOf({ rows, group, labelled }: TrainedField, { checkpoint }: TrainedRun, directory: string): AnalysedRun {
  const { imagesSeen } = checkpoint.facts;
  const { count: data, elements } = rows;
  return { directory, imagesSeen, parameters: group, labelled, data, elements };
}

async function measureNetwork(run: TrainedRun, request: ClosedFormRequest): Promise<MeasuredNetwork> {
  const { parts, errorTimes, switches } = request;
  const wants = (part: ClosedFormPart) => parts.includes(part);
  return withTrainedField(run, request, async (trained) => {
    const error = wants('error') ? await measureFieldError(trained, { ...request, times: timesOf(errorTimes) }) : null;
    const hybrid = wants('hybrid') ? await measureHybrid(trained, request) : null;
    const memorisation = wants('memorisation') ? await measureMemorisation(trained, request) : null;
    const within = hybrid === null && memorisation === null ? null : await measureWithin(trained, request);
    const facts = factsOf(trained, run, request.run!); // there is one, as it was opened
    return {
      results: { run: facts, error, hybrid: hybrid?.result ?? null, memorisation, within },
      picture: hybrid === null ? null : await pictureOf(trained.data, hybrid.shown, switches.length),
    };
  });
}

const noNetwork: MeasuredNetwork = {
  results: { run: null, error: null, hybrid: null, memorisation: null, within: null },
  picture: null,
};

/**
 * Analyses data, and the network of a run, through the exact field, and writes the results as files.
 * @throws ConfigError if the request does not fit the data or the run; CheckpointError if it has no whole checkpoint.
 */
export async function analyzeClosedForm(request: ClosedFormRequest): Promise<ClosedFormOutcome> {
  const started = performance.now();
  checkRequest(request);
  const { parts, outDirectory, seed } = request;
  const run = request.run === null ? null : await openTrainedRun(request.run);
  if (run !== null) checkData(run, request.data);
  const data = run === null ? await openFieldData(request.data!, request) : runFieldData(await openRunData(run.config)); // see checkRequest
  const alignment = parts.includes('alignment') ? await measureAlignments(data, request) : null;
  const needsNetwork = run !== null && parts.some((part) => part !== 'alignment');
  const { results, picture } = needsNetwork ? await measureNetwork(run, request) : noNetwork;
  const all = { alignment, ...results };
  const paths = await writeClosedFormFiles(outDirectory, { ...all, seed }, picture);
  return { ...all, seed, seconds: (performance.now() - started) / 1000, paths };
}
