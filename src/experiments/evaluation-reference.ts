/** What generated samples are compared with: features of the data, extracted once for any number of evaluations. */
import type { FeatureSet } from '../metrics/feature-set.ts';
import { type FeatureStatistics, statisticsOfFeatures } from '../metrics/feature-statistics.ts';
import { selectRows } from '../metrics/frechet-distance.ts';
import type { DoubleProducts } from '../numerics/double-products.ts';
import { type ExtractOptions, extractSet, type FeatureMap } from './feature-map.ts';
import type { RunEvent } from './run-types.ts';
import { type Population, type SampleSet, takeSamples } from './sample-set.ts';
import { spread } from './stored-data.ts';
import { workProgress } from './work-progress.ts';

/** Data to compare with. */
export interface ReferenceSets {
  readonly reference: SampleSet;
  /** All training samples. */
  readonly training: SampleSet;
  /** Rows of the training samples that the reference is; `null` if it is something else. */
  readonly rows: Uint32Array | null;
}

/** The reference, at most `limit` samples of it, and the whole training set. */
export function referenceSets(against: Population, training: Population, limit: number | null): ReferenceSets {
  const count = Math.min(limit ?? against.count, against.count);
  return {
    reference: takeSamples(against, count),
    training: takeSamples(training),
    rows: against === training ? spread(against.count, count) : null,
  };
}

/** Features of the data. */
export interface OpenReference {
  readonly reference: FeatureSet;
  /** Those of all training samples, or of the reference where they are not needed. */
  readonly training: FeatureSet;
  /** Mean and covariance of the reference, computed once. */
  statistics(): Promise<FeatureStatistics>;
}

export interface ReferenceOptions {
  /** Whether features of all training samples are needed. */
  readonly withTraining: boolean;
  readonly products: DoubleProducts;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** How `extractSet` is to go through a set, with its progress told as work. */
export function extraction(
  what: string,
  {
    signal,
    onEvent,
    ...options
  }: Pick<ReferenceOptions, 'signal' | 'onEvent'> & Pick<ExtractOptions, 'classify' | 'keep'>,
): ExtractOptions {
  return { ...options, signal, onProgress: workProgress(onEvent, { what, unit: 'samples' }) };
}

/** Extracts the features of the data. */
export async function openReference(
  { reference, training, rows }: ReferenceSets,
  map: FeatureMap,
  options: ReferenceOptions,
): Promise<OpenReference> {
  const { signal, onEvent } = options;
  const features = async (set: SampleSet) => {
    const how = extraction(`features of ${set.name}`, { classify: false, keep: true, signal, onEvent });
    return (await extractSet(set, map, how)).features;
  };
  const ofTraining = options.withTraining ? await features(training) : null;
  const ofReference =
    ofTraining !== null && rows !== null
      ? { ...selectRows(ofTraining, rows), data: reference.name }
      : await features(reference);
  let statistics: Promise<FeatureStatistics> | null = null;
  return {
    reference: ofReference,
    training: ofTraining ?? ofReference,
    statistics() {
      statistics ??= statisticsOfFeatures(ofReference, options);
      return statistics;
    },
  };
}
