import { describe, expect, test } from 'vitest';
import { type AdmUnetOptions, admUnet, admUnetOptions, admUnets } from '../../src/models/adm-unet.ts';
import { predictionGraph } from './model-graphs.ts';

const cifar: AdmUnetOptions = { ...admUnets.cifar10, classes: null };

describe('the improved U-Net', () => {
  test('has attention at the levels of its resolutions', () => {
    expect(admUnetOptions(cifar).attention).toEqual([1]);
    expect(admUnetOptions({ ...admUnets.imagenet64, classes: null }).attention).toEqual([2]);
    expect(admUnetOptions({ ...admUnets['imagenet64-guided'], classes: 10 }).attention).toEqual([1, 2, 3]);
  });

  test('attends to 16 x 16 positions on the way down and up, and in the middle to 4 x 4', () => {
    const { calls, values } = predictionGraph(admUnet(cifar), { batch: 1 });
    const scores = calls
      .filter(({ primitive }) => primitive.name === 'softmax')
      .map(({ outputs }) => values[outputs[0]].shape);
    const at16 = [4, 256, 256]; // 256 channels are 4 heads of 64
    expect(scores).toEqual([at16, at16, [4, 16, 16], at16, at16, at16]);
  });

  test('refuses a resolution that no level has, and pictures that are not square', () => {
    expect(() => admUnet({ ...cifar, attentionResolutions: [12] })).toThrow(
      /sides of the 4 levels of a square .*; got \[12\]/,
    );
    expect(() => admUnet({ ...cifar, attentionResolutions: [2] })).toThrow(/got \[2\]/);
    expect(() => admUnet({ ...cifar, attentionResolutions: [64] })).toThrow(/got \[64\]/);
    expect(() => admUnet({ ...cifar, shape: [3, 32, 16] })).toThrow(/of a square \[3, 32, 16\]/);
  });
});
