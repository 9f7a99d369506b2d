/** Makes samples with a trained run or an exact field, and writes them. */
import { ConfigError } from '../errors.ts';
import type { LatentSamples, Sampler, SampleRequest as SamplerRequest } from '../sampling/sampler.ts';
import type { SampleOutcome, SampleRequest } from './run-types.ts';
import { checkFiles, writeSampleFiles } from './sample-files.ts';
import { samplerRequest, withSampleSource } from './sample-source.ts';

/** @throws ConfigError unless there are seeds, all of them 32-bit numbers, and as many labels, if any. */
function checkRows({ seeds, labels }: SampleRequest): void {
  const fault = (expected: string, got: string) => new ConfigError({ expected, got, where: 'experiments/sample-run' });
  if (seeds.length === 0) throw fault('at least one seed', 'none');
  const wrong = seeds.find((seed) => !Number.isInteger(seed) || seed < 0 || seed > 0xffffffff);
  if (wrong !== undefined) throw fault('seeds to be integers in [0, 2^32)', `${wrong}`);
  if (labels !== null && labels.length !== seeds.length) {
    throw fault(`a label for each of the ${seeds.length} seeds`, `${labels.length} labels`);
  }
  const part = labels?.find((label) => !Number.isInteger(label));
  if (part !== undefined) throw fault('labels to be integers', `${part}`);
}

function joined<A extends Float32Array | Int32Array>(parts: readonly A[], empty: A): A {
  // As long as all parts together, of their own type.
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = (empty instanceof Int32Array ? new Int32Array(length) : new Float32Array(length)) as A;
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** Batches of samples joined; `trajectory` has one array a time. */
function joinSamples(parts: readonly LatentSamples[]) {
  const floats = new Float32Array(0);
  return {
    latents: joined(
      parts.map(({ latents }) => latents),
      floats,
    ),
    evaluations: joined(
      parts.map(({ evaluations }) => evaluations),
      new Int32Array(0),
    ),
    converged: parts.every(({ converged }) => converged),
    trajectory: (parts[0].trajectory ?? []).map((_, time) =>
      joined(
        parts.map(({ trajectory }) => trajectory?.[time] ?? floats),
        floats,
      ),
    ),
  };
}

async function makeSamples(sampler: Sampler, settings: SamplerRequest, onEvent: SampleRequest['onEvent']) {
  const parts: LatentSamples[] = [];
  const count = settings.seeds.length;
  const begun = performance.now();
  let done = 0;
  for await (const part of sampler.sample(settings)) {
    parts.push(part);
    done += part.seeds.length;
    const secondsLeft = ((performance.now() - begun) / 1000 / done) * (count - done);
    onEvent({ kind: 'sample', done, count, secondsLeft });
  }
  return joinSamples(parts);
}

/**
 * Makes the samples of a request.
 * @throws ConfigError if labels, seeds, files or settings do not fit the model; CheckpointError if a run has no whole checkpoint.
 */
export async function sample(request: SampleRequest): Promise<SampleOutcome> {
  const started = performance.now();
  checkRows(request);
  return withSampleSource({ ...request, count: request.seeds.length }, async (source) => {
    const { shape, latent } = source.data;
    checkFiles(request, latent);
    const settings = samplerRequest(source, {
      seeds: Uint32Array.from(request.seeds),
      labels: request.labels === null ? null : Int32Array.from(request.labels),
      trajectory: request.trajectoryPath !== null,
      signal: request.signal,
    });
    const samples = await makeSamples(source.sampler, settings, request.onEvent);
    const paths = await writeSampleFiles({ ...settings, ...samples, shape, latent }, request);
    const perEvaluation = settings.guidance === 1 ? 1 : 2;
    const evaluations = samples.evaluations.reduce((sum, one) => sum + one, 0) / settings.seeds.length;
    return {
      samples: settings.seeds.length,
      seconds: (performance.now() - started) / 1000,
      evaluations: perEvaluation * evaluations,
      converged: samples.converged,
      paths,
    };
  });
}
