import { afterAll, describe, expect, it } from 'vitest';
import { memoryDataset } from '../../src/data/image-dataset.ts';
import { labelAttribute } from '../../src/data/label-attribute.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { imageClassifier } from '../../src/models/image-classifier.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { mulberry32 } from '../../src/numerics/mulberry32.ts';
import { adam } from '../../src/training/adam.ts';
import {
  type ClassifierProgress,
  type ClassifierTraining,
  trainClassifier,
} from '../../src/training/classifier-training.ts';
import { constantSchedule } from '../../src/training/schedule.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

/** Noise that is brighter on the left (label 0) or on the right (label 1). */
function sides(count: number) {
  const next = mulberry32(1);
  const labels = Array.from({ length: count }, (_, i) => i % 2);
  const pixels = new Uint8Array(new SharedArrayBuffer(count * 64));
  for (const i of pixels.keys()) {
    const bright = (i % 8 < 4 ? 0 : 1) === labels[Math.floor(i / 64)];
    pixels[i] = 180 * next() + (bright ? 75 : 0);
  }
  return memoryDataset('sides', { pixels, shape: { channels: 1, height: 8, width: 8 } }, [
    labelAttribute('sides', labels, null),
  ]);
}

const classifier = imageClassifier({ shape: [1, 8, 8], classes: 2, width: 8 });

function training(changes: Partial<ClassifierTraining> = {}): ClassifierTraining {
  return {
    classifier,
    parameters: parameterTypes(classifier.parameters),
    initial: initializeParameters(classifier.parameters, 0),
    data: sides(100),
    optimizer: adam({ betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 }),
    learningRate: 0.003,
    schedule: constantSchedule({ warmupImages: 0 }),
    batch: 20,
    images: 600,
    seed: 0,
    ...changes,
  };
}

async function trainedWith(changes: Partial<ClassifierTraining>, signal?: AbortSignal) {
  const told: ClassifierProgress[] = [];
  const onProgress = (progress: ClassifierProgress) => told.push(progress);
  const parameters = await trainClassifier(training(changes), {
    runtime,
    onProgress,
    ...(signal === undefined ? {} : { signal }),
  });
  return { parameters, last: told.at(-1)! };
}

describe('trainClassifier', () => {
  it('learns, and says how far it is', async () => {
    const untrained = await trainedWith({ images: 20, learningRate: 0 });
    expect(untrained.last.loss).toBeGreaterThan(0.5);
    expect(untrained.parameters).toEqual(training().initial);
    const { last } = await trainedWith({ images: 590 });
    expect(last).toMatchObject({ imagesSeen: 600, images: 600, secondsLeft: 0 });
    expect(last.loss).toBeLessThan(0.1);
  });

  it('gives the same bits for the same seed, and others for another order', async () => {
    const first = await trainedWith({ images: 100 });
    expect((await trainedWith({ images: 100 })).parameters).toEqual(first.parameters);
    expect((await trainedWith({ images: 100, seed: 1 })).parameters).not.toEqual(first.parameters);
  });

  it('ends with the reason of its signal', async () => {
    await expect(trainedWith({}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });

  it('stops where the loss is not finite', async () => {
    const initial = { ...training().initial };
    initial['head.bias'] = Float32Array.of(Number.NaN, 0);
    await expect(trainedWith({ initial })).rejects.toThrow(/loss to be finite after 0 images; got NaN/);
  });

  it('refuses data of another shape or number of classes', async () => {
    const wide = imageClassifier({ shape: [1, 8, 9], classes: 2, width: 8 });
    const many = imageClassifier({ shape: [1, 8, 8], classes: 3, width: 8 });
    await expect(trainedWith({ classifier: wide })).rejects.toThrow(
      /images \[1, 8, 9\].*got \[1, 8, 8\] with 2 classes/,
    );
    await expect(trainedWith({ classifier: many })).rejects.toThrow(
      /labels of 3 classes; got .* with 2 classes in sides/,
    );
  });
});
