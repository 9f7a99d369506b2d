/** Trains a classifier of images on the labels of a set. */
import type { ImageDataset } from '../data/image-dataset.ts';
import { openLoader } from '../data/loader.ts';
import { gradient } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { reduceMean } from '../engine/ops.ts';
import type { Runtime } from '../engine/runtime.ts';
import { createStepper, type Stepper } from '../engine/stepper.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type TypeTree, tensorType } from '../engine/trace.ts';
import { ConfigError, NumericalError } from '../errors.ts';
import type { ImageClassifier } from '../models/image-classifier.ts';
import { crossEntropy } from './cross-entropy.ts';
import type { Optimizer } from './optimizer.ts';
import { clippedUpdate, PARAMETERS, parameterInputs, placeholders, scalarTypes } from './parameter-update.ts';
import type { Schedule } from './schedule.ts';
import { stateTypes } from './step.ts';

const where = 'training/classifier-training';

export interface ClassifierProgress {
  readonly imagesSeen: number;
  /** Images of the whole training. */
  readonly images: number;
  /** Cross-entropy of the last batch, in nats. */
  readonly loss: number;
  readonly secondsLeft: number;
}

export interface ClassifierTraining {
  readonly classifier: ImageClassifier;
  /** Types of the parameters, in the form of the classifier's tree. */
  readonly parameters: TypeTree;
  /** Starting values by path. */
  readonly initial: Readonly<Record<string, Float32Array>>;
  /** Labelled images of the classifier's shape. */
  readonly data: ImageDataset;
  readonly optimizer: Optimizer;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** Images in a batch. */
  readonly batch: number;
  /** Length of the training in images, rounded up to whole batches. */
  readonly images: number;
  /** Seed of the order of the images. */
  readonly seed: number;
}

export interface ClassifierSurroundings {
  readonly runtime: Runtime;
  readonly signal?: AbortSignal;
  /** Called about twice a second, and after the last step. */
  readonly onProgress?: (progress: ClassifierProgress) => void;
}

function trainingGraph({ classifier, parameters, optimizer, batch }: ClassifierTraining): Graph {
  const parts = { optimizer, clip: null, ema: false };
  const { tree, ports } = parameterInputs(parameters, PARAMETERS);
  const data = placeholders({
    pixels: tensorType([batch, ...classifier.input.shape], 'uint8'),
    labels: tensorType([batch], 'int32'),
  });
  const scalars = placeholders(scalarTypes(parts));
  const { scores } = classifier.apply(tree, data.inputs.pixels);
  const loss = reduceMean(crossEntropy(scores, data.inputs.labels));
  const gradients = gradient(
    loss,
    ports.map(([, tensor]) => tensor),
  ) as readonly Tensor[];
  const { inputs, outputs } = clippedUpdate(parts, ports, { gradients, scalars: scalars.inputs });
  return closeGraph([...ports, ...inputs, ...data.ports, ...scalars.ports], [...outputs, ['loss', loss]]);
}

function createTrainingStepper(training: ClassifierTraining, { runtime }: ClassifierSurroundings): Promise<Stepper> {
  const { provider, channelBlock } = runtime;
  return createStepper(runtime, {
    state: stateTypes({ ...training, ema: false, accumulate: 1 }),
    programs: { step: { model: emitModel(trainingGraph(training), { provider, channelBlock }) } },
  });
}

function checkData({ classifier, data }: ClassifierTraining): void {
  const { shape } = classifier.input;
  const given = [data.channels, data.height, data.width];
  if (data.classes?.length === classifier.classes && given.every((size, axis) => size === shape[axis])) return;
  throw new ConfigError({
    expected: `images [${shape.join(', ')}] with labels of ${classifier.classes} classes`,
    got: `[${given.join(', ')}] with ${data.classes?.length ?? 'no'} classes in ${data.name}`,
    where,
  });
}

/**
 * Parameters by path that minimise the mean cross-entropy of the labels by stochastic gradients. The same options give the same bits
 * on the same machine with the same number of threads.
 * @throws ConfigError if the data do not fit the classifier; NumericalError if a loss is not finite; the signal's reason if it aborts.
 */
export async function trainClassifier(
  training: ClassifierTraining,
  surroundings: ClassifierSurroundings,
): Promise<Record<string, Float32Array>> {
  checkData(training);
  const stepper = await createTrainingStepper(training, surroundings);
  try {
    const initial = Object.entries(training.initial).map(([path, values]) => [`${PARAMETERS}.${path}`, values]);
    await stepper.writeState(Object.fromEntries(initial));
    await runSteps(stepper, training, surroundings);
    const state = await stepper.readState(Object.keys(training.initial).map((path) => `${PARAMETERS}.${path}`));
    return Object.fromEntries(
      Object.entries(state).map(([name, values]) => [name.slice(PARAMETERS.length + 1), values as Float32Array]),
    );
  } finally {
    stepper.release();
  }
}

/** Least time between two calls of `onProgress`. */
const PROGRESS_MS = 500;

async function runSteps(
  stepper: Stepper,
  { data, seed, batch, images, optimizer, learningRate, schedule }: ClassifierTraining,
  { signal, onProgress = () => {} }: ClassifierSurroundings,
): Promise<void> {
  const steps = Math.ceil(images / batch);
  const loader = openLoader(data, { seed, batch });
  const began = performance.now();
  let toldAt = began;
  try {
    for (let update = 1; update <= steps; update++) {
      signal?.throwIfAborted();
      const { pixels, labels, imagesSeen } = await loader.next();
      const scalars = optimizer.scalars({ update, learningRate: learningRate * schedule(imagesSeen) });
      const inputs = Object.entries(scalars).map(([name, value]) => [name, Float32Array.of(value)]);
      const results = await stepper.run('step', {
        inputs: { pixels, labels, ...Object.fromEntries(inputs) },
        ...(signal === undefined ? {} : { signal }),
      });
      const loss = checkedLoss(Number(results.loss[0]), imagesSeen);
      const now = performance.now();
      if (now - toldAt < PROGRESS_MS && update < steps) continue;
      toldAt = now;
      const secondsLeft = ((now - began) / 1000 / update) * (steps - update);
      onProgress({ imagesSeen: update * batch, images: steps * batch, loss, secondsLeft });
    }
  } finally {
    await loader.close();
  }
}

function checkedLoss(loss: number, imagesSeen: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new NumericalError({
    expected: `the classifier's loss to be finite after ${imagesSeen} images`,
    got: String(loss),
    where,
    remedy: 'a smaller learning rate',
  });
}
