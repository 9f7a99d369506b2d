/** Features of samples of either kind: of images by a network, of vectors the coordinates themselves. */
import { ConfigError } from '../errors.ts';
import type { FeatureSet } from '../metrics/feature-set.ts';
import { cachedFeatures } from '../metrics/features/feature-cache.ts';
import type { FeatureNetwork, ImageShape } from '../metrics/features/feature-network.ts';
import type { SampleSet } from './sample-set.ts';

/** A function from samples of one shape to features. */
export interface FeatureMap {
  readonly network: string;
  readonly hash: string | null;
  readonly dimensions: number;
  /** Whether the network also tells classes. */
  readonly classifies: boolean;
  /** Whether these are the labels of the data that it was opened for. */
  readonly knowsLabels: boolean;
  /** Features of some samples, float32 [rows, dimensions]. */
  extract(values: Uint8Array | Float32Array): Promise<Float32Array>;
  /** The same of samples that come again, such as data: from the user's cache where they are there. `data` is what they are called. */
  extractKept(values: Uint8Array | Float32Array, data: string): Promise<Float32Array>;
  /** Probabilities of the classes, float32 [rows, classes]; only where `classifies`. */
  classify(values: Uint8Array | Float32Array): Promise<Float32Array>;
  release(): void;
}

const where = 'experiments/feature-map';

function unable(): Promise<never> {
  return Promise.reject(new ConfigError({ expected: 'features that tell classes', got: 'none', where }));
}

/** Vectors as they are. */
export function coordinateFeatures(dimensions: number): FeatureMap {
  return {
    network: `coordinates ${dimensions}`,
    hash: null,
    dimensions,
    classifies: false,
    knowsLabels: false,
    // Sets of vectors give these.
    extract: async (values) => values as Float32Array,
    extractKept: async (values) => values as Float32Array,
    classify: unable,
    release() {},
  };
}

/** Images of one shape as a network sees them. */
export function imageFeatures(network: FeatureNetwork, shape: ImageShape, knowsLabels = false): FeatureMap {
  const { network: name, hash, dimensions } = network;
  // Sets of images give bytes.
  return {
    network: name,
    hash,
    dimensions,
    classifies: network.classify !== undefined,
    knowsLabels,
    extract: (values) => network.extract(values as Uint8Array, shape),
    extractKept: (values, data) => cachedFeatures(network, { pixels: values as Uint8Array, shape, data }),
    classify: (values) => network.classify?.(values as Uint8Array, shape) ?? unable(),
    release: () => network.release(),
  };
}

/** What was extracted from a set, rows aligned. */
export interface ExtractedSet {
  readonly features: FeatureSet;
  /** [rows, classes]; `null` where they were not asked for or there is no classifier. */
  readonly probabilities: FeatureSet | null;
  /** int32 [rows]; `null` without labels. */
  readonly labels: Int32Array | null;
}

export interface ExtractOptions {
  /** Whether the features are kept in the user's cache, part by part. */
  readonly keep: boolean;
  /** Whether classes are wanted too, where the map tells them. */
  readonly classify: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, count: number) => void;
}

/** Goes through a set part by part and keeps its features; the samples themselves are dropped. */
export async function extractSet(set: SampleSet, map: FeatureMap, options: ExtractOptions): Promise<ExtractedSet> {
  const { network, hash, dimensions } = map;
  const values = new Float32Array(set.count * dimensions);
  const labels = set.classes === null ? null : new Int32Array(set.count);
  const classes: Float32Array[] = [];
  let done = 0;
  for await (const part of set.parts(options.signal)) {
    const { values: samples } = part;
    const features = await (options.keep ? map.extractKept(samples, set.name) : map.extract(samples));
    values.set(features, done * dimensions);
    if (part.labels !== null) labels?.set(part.labels, done);
    if (options.classify && map.classifies) classes.push(await map.classify(part.values));
    done += features.length / dimensions;
    options.onProgress(done, set.count);
  }
  const origin = { network, hash, data: set.name };
  return {
    features: { ...origin, values, dimensions },
    probabilities: classes.length === 0 ? null : { ...origin, ...joined(classes, set.count) },
    labels,
  };
}

function joined(parts: readonly Float32Array[], count: number): Pick<FeatureSet, 'values' | 'dimensions'> {
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    values.set(part, start);
    start += part.length;
  }
  return { values, dimensions: values.length / count };
}
