/** Samples that a model makes, as a set to be judged. */
import { stream } from '../numerics/stream.ts';
import type { SeedRange } from './evaluate-request.ts';
import type { Population, SampleSet } from './sample-set.ts';
import { generatedSamples, type SampleSource } from './sample-source.ts';

/** The label of a sample is that of a training sample drawn by its seed, so that labels are as frequent as in the data. */
export function labelsOfSeeds(seeds: Uint32Array, labels: Int32Array): Int32Array {
  return Int32Array.from(seeds, (seed) => labels[stream(seed, 'evaluation-label').below(labels.length)]!);
}

/** Whether a model is told a label with each sample. */
export function isTold(source: Pick<SampleSource, 'usualLabels'>): boolean {
  return source.usualLabels(1) !== null;
}

/**
 * Samples of consecutive seeds; they are made anew whenever the set is gone through.
 * @param training  what the model was trained on, whose labels samples get in proportion where the model is told labels.
 */
export function generatedSet(source: SampleSource, { first, count }: SeedRange, training: Population): SampleSet {
  const seeds = Uint32Array.from({ length: count }, (_, i) => first + i);
  const labels = isTold(source) ? labelsOfSeeds(seeds, training.labels) : null;
  return {
    name: `seeds ${first}-${first + count - 1}`,
    count,
    shape: training.shape,
    classes: labels === null ? null : training.classes,
    async *parts(signal) {
      for await (const { pixels, latents, labels: told } of generatedSamples(source, { seeds, labels, signal })) {
        yield { values: pixels ?? latents, labels: told };
      }
    },
  };
}
