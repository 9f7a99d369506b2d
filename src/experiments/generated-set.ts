/** Samples that a network makes, as a set to be judged. */
import type { Latent } from '../latent/latent.ts';
import { stream } from '../numerics/stream.ts';
import type { LatentSamples, SampleRequest, Sampler } from '../sampling/sampler.ts';
import { buildSolver } from './build.ts';
import type { RunConfig } from './config.ts';
import type { SeedRange } from './evaluate-request.ts';
import type { StoredData } from './run-data.ts';
import type { SamplePart, SampleSet } from './sample-set.ts';

/** What the samples of a network are. */
export interface GeneratedOptions {
  readonly seeds: SeedRange;
  readonly sampling: RunConfig['sampling'];
  /** The network's training data, whose labels samples get in proportion. */
  readonly data: StoredData;
  /** Whether the network is told labels. */
  readonly labelled: boolean;
  /** The way to pixels; `null` for vectors. */
  readonly latent: Latent | null;
}

/** The label of a sample is that of a training sample drawn by its seed, so that labels are as frequent as in the data. */
export function labelsOfSeeds(seeds: Uint32Array, labels: Int32Array): Int32Array {
  return Int32Array.from(seeds, (seed) => labels[stream(seed, 'evaluation-label').below(labels.length)]!);
}

/** Samples of consecutive seeds; they are made anew whenever the set is gone through. */
export function generatedSet(sampler: Sampler, options: GeneratedOptions): SampleSet {
  const { seeds, sampling, data, labelled, latent } = options;
  const numbers = Uint32Array.from({ length: seeds.count }, (_, i) => seeds.first + i);
  const request: SampleRequest = {
    ...buildSolver(sampling.solver),
    seeds: numbers,
    labels: labelled ? labelsOfSeeds(numbers, data.labels) : null,
    guidance: sampling.guidance ?? 1,
  };
  return {
    name: `seeds ${seeds.first}-${seeds.first + seeds.count - 1}`,
    count: seeds.count,
    shape: data.kind === 'images' ? [data.channels, data.height, data.width] : [data.features],
    classes: labelled ? data.classes : null,
    async *parts(signal) {
      for await (const part of sampler.sample({ ...request, signal })) yield await toSamples(part, latent);
    },
  };
}

async function toSamples({ latents, labels }: LatentSamples, latent: Latent | null): Promise<SamplePart> {
  return { values: latent === null ? latents : await latent.decode(latents), labels };
}
