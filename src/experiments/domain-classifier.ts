/** The classifier of a data set's labels: trained on its training images, measured on others, kept in the cache. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { datasetDigest } from '../data/dataset-digest.ts';
import { holdOut, type ImageDataset, readImages, subset } from '../data/image-dataset.ts';
import { type DatasetOptions, hasTestSplit, openDataset } from '../data/open-dataset.ts';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import { predictedLabels } from '../metrics/label-accuracy.ts';
import { type ImageClassifier, imageClassifier } from '../models/image-classifier.ts';
import { initializeParameters, parameterTypes } from '../models/parameters.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { adamW } from '../training/adam.ts';
import { type ClassifierProgress, trainClassifier } from '../training/classifier-training.ts';
import { cosineSchedule } from '../training/schedule.ts';
import { openClassification } from './classification.ts';
import { readClassifier, type StoredClassifier, writeClassifier } from './domain-cache.ts';

/** Changes whenever the same options would give other parameters. */
const VERSION = 1;

const settings = {
  batch: 64,
  learningRate: 3e-3,
  warmupImages: 2000,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.05,
} as const;

/** Pixels that are seen in training, all channels of one counted once: 76,500 images of 28 x 28. */
const PIXELS_SEEN = 6e7;
/** Most times that an image is seen. */
const MOST_EPOCHS = 40;
/** Share of the training images that is kept back where no images are held out, and the seed that chooses them. */
const KEPT_BACK = { fraction: 0.1, seed: 0 } as const;

export interface DomainOptions {
  /** The data set; `label` is the attribute that is learned. */
  readonly data: DatasetOptions;
  readonly runtime: Runtime;
  /** Seed of the starting values and of the order of the images. Default 0. */
  readonly seed?: number;
  /** Images seen in training, rounded up to whole batches of 64; default `null`: as many as make 60 million pixels, but each image at most 40 times. */
  readonly images?: number | null;
  /** Folder that keeps classifiers; `null`: none. */
  readonly folder: string | null;
  readonly signal?: AbortSignal;
  /** Called about twice a second while it trains. */
  readonly onProgress?: (progress: ClassifierProgress) => void;
}

/** A trained classifier. */
export interface DomainClassifier extends StoredClassifier {
  readonly classifier: ImageClassifier;
  /** Name of the set and the attribute that was learned. */
  readonly data: string;
  readonly attribute: string;
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Which images its accuracy was measured on. */
  readonly measuredOn: 'test split' | 'kept back from training';
  /** Whether it was read from the cache. */
  readonly cached: boolean;
  /** Its file in the cache; `null` if nothing is kept. */
  readonly path: string | null;
}

interface DomainData {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  readonly measuredOn: DomainClassifier['measuredOn'];
}

async function openData(data: DatasetOptions): Promise<DomainData> {
  const train = await openDataset({ ...data, split: 'train' });
  if (train.classes === null) {
    throw new ConfigError({
      expected: `\`${train.name}\` to have labels, which the features of \`domain\` are learned from`,
      got: 'none',
      where: 'experiments/domain-classifier',
      remedy: 'a folder for each class, or features of a pretrained network',
    });
  }
  if (hasTestSplit(data)) {
    return { train, test: await openDataset({ ...data, split: 'test' }), measuredOn: 'test split' };
  }
  const parts = holdOut(train.count, KEPT_BACK.fraction, KEPT_BACK.seed);
  return {
    train: subset(train, parts.train),
    test: subset(train, parts.test),
    measuredOn: 'kept back from training',
  };
}

/** Images seen in training, in whole batches. */
function imagesToSee({ images = null }: DomainOptions, { count, height, width }: ImageDataset): number {
  const wanted = images ?? Math.min(MOST_EPOCHS * count, PIXELS_SEEN / (height * width));
  return Math.max(1, Math.ceil(wanted / settings.batch)) * settings.batch;
}

interface Plan extends DomainData {
  readonly classifier: ImageClassifier;
  readonly images: number;
  readonly seed: number;
}

/** Name of the file for all that decides the parameters and the measurement. */
async function fileName({ train, test, classifier, images, seed }: Plan): Promise<string> {
  const digests = [await datasetDigest(train), await datasetDigest(test)];
  const { name, input, classes } = classifier;
  const decisive = JSON.stringify({ VERSION, settings, network: [name, input, classes], images, seed, digests });
  return `domain-${createHash('sha256').update(decisive).digest('hex').slice(0, 32)}.safetensors`;
}

async function train(plan: Plan, { runtime, signal, onProgress }: DomainOptions) {
  const { classifier, images, seed } = plan;
  const { warmupImages, batch, learningRate, betas, epsilon, weightDecay } = settings;
  return trainClassifier(
    {
      classifier,
      parameters: parameterTypes(classifier.parameters),
      initial: initializeParameters(classifier.parameters, seed),
      data: plan.train,
      optimizer: adamW({ betas, epsilon, weightDecay }),
      learningRate,
      schedule: cosineSchedule({ warmupImages: Math.min(warmupImages, images / 10), images, finalFraction: 0 }),
      batch,
      images,
      seed,
    },
    {
      runtime,
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    },
  );
}

/** Images that are read at once. */
const READ_AT_ONCE = 1000;

/** Whether each image of the test set is classified rightly, as 0 or 1. */
async function hits({ classifier, test }: Plan, parameters: StoredClassifier['parameters'], runtime: Runtime) {
  const classification = openClassification(runtime, { classifier, parameters });
  const { name: network, classes: dimensions, input } = classifier;
  const right: number[] = [];
  try {
    for (let first = 0; first < test.count; first += READ_AT_ONCE) {
      const length = Math.min(READ_AT_ONCE, test.count - first);
      const pixels = await readImages(
        test,
        Uint32Array.from({ length }, (_, i) => first + i),
      );
      const values = await classification.probabilities(pixels, input.shape);
      const predicted = predictedLabels({ values, dimensions, network, hash: null, data: test.name });
      for (const [i, label] of predicted.entries()) right.push(label === test.labels[first + i] ? 1 : 0);
    }
    return right;
  } finally {
    classification.release();
  }
}

async function trainAndMeasure(plan: Plan, options: DomainOptions): Promise<StoredClassifier> {
  const began = performance.now();
  const parameters = await train(plan, options);
  const seconds = (performance.now() - began) / 1000;
  const { mean, standardError, count } = estimateMean(await hits(plan, parameters, options.runtime));
  const facts = { accuracy: mean, standardError, heldOutCount: count, imagesSeen: plan.images, seconds };
  return { parameters, facts };
}

/**
 * The classifier from the cache; trained, measured and kept where there is no whole file for these data, options and version.
 * @throws ConfigError if the data have no labels, or images that are too large or small; DataError if the cache cannot be written;
 *   NumericalError if training diverges; the signal's reason if it aborts, and then nothing is kept.
 */
export async function domainClassifier(options: DomainOptions): Promise<DomainClassifier> {
  const data = await openData(options.data);
  const { channels, height, width, classes, attributes, name } = data.train;
  const labels = classes ?? []; // `openData` refuses sets without
  const classifier = imageClassifier({ shape: [channels, height, width], classes: labels.length });
  const plan = { ...data, classifier, images: imagesToSee(options, data.train), seed: options.seed ?? 0 };
  const path = options.folder === null ? null : join(options.folder, await fileName(plan));
  const known = path === null ? null : await readClassifier(path, classifier.parameters);
  const stored = known ?? (await trainAndMeasure(plan, options));
  if (path !== null && known === null) await writeClassifier(path, classifier.parameters, stored);
  return {
    ...stored,
    classifier,
    data: name,
    attribute: attributes[0]?.name ?? 'label',
    classes: labels,
    measuredOn: data.measuredOn,
    cached: known !== null,
    path,
  };
}
