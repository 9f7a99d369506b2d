import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import type { FeatureNetwork } from '../../../src/metrics/features/feature-network.ts';
import type { ImagePreparation } from '../../../src/metrics/features/image-preparation.ts';
import { type OnnxFeatureOptions, onnxFeatures } from '../../../src/metrics/features/onnx-features.ts';
import { imageResizeWeights } from '../../../src/metrics/features/resize.ts';
import { mulberry32Array } from '../../../src/numerics/mulberry32.ts';
import { node } from '../../engine/tiny-models.ts';
import { classifierFile, identityFile, networkFile } from './tiny-network.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

const preparation: ImagePreparation = { size: [2, 2], resize: 'bilinear', range: '[0,1]', channels: 'rgb' };

function open(options: Partial<OnnxFeatureOptions> & Pick<OnnxFeatureOptions, 'file'>): FeatureNetwork {
  return onnxFeatures(runtime, { name: 'test', preparation, batch: 2, ...options });
}

/** Two images as the identity network sees them with this preparation. */
async function seen(changes: Partial<ImagePreparation>, pixels: number[], channels: number): Promise<number[]> {
  const network = open({ file: identityFile([2, 3, 2, 2]), preparation: { ...preparation, ...changes } });
  const features = await network.extract(Uint8Array.from(pixels), [channels, 2, 2]);
  network.release();
  return [...features];
}

const red = [0, 51, 102, 255];
const green = [10, 20, 30, 40];
const blue = [255, 255, 255, 255];

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 1e-6): void {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(got[i]! - wanted[i]!)).toBeLessThan(tolerance);
}

describe('onnxFeatures: images as the network sees them', () => {
  const pixels = [...red, ...green, ...blue];
  it.each([
    ['[0,1]', (p: number) => p / 255],
    ['[-1,1]', (p: number) => p / 127.5 - 1],
    ['[0,255]', (p: number) => p],
    ['(p-128)/128', (p: number) => (p - 128) / 128],
  ] as const)('in the range %s', async (range, f) => {
    expectClose(await seen({ range }, pixels, 3), pixels.map(f), 1e-5);
  });

  it('without the mean and deviation of each channel, blue first where the network was trained so', async () => {
    const range = { mean: [0.1, 0.2, 0.3], deviation: [1, 2, 4] } as const;
    const normal = [red, green, blue].map((values, c) =>
      values.map((p) => (p / 255 - range.mean[c]!) / range.deviation[c]!),
    );
    expectClose(await seen({ range }, pixels, 3), normal.flat());
    expectClose(await seen({ range, channels: 'bgr' }, pixels, 3), normal.toReversed().flat());
  });

  it('with grey images as three equal channels', async () => {
    const range = { mean: [0.1, 0.2, 0.3], deviation: [1, 2, 4] } as const;
    const tripled = [red, red, red];
    expectClose(
      await seen({}, red, 1),
      tripled.flat().map((p) => p / 255),
    );
    const normal = tripled.map((values, c) => values.map((p) => (p / 255 - range.mean[c]!) / range.deviation[c]!));
    expectClose(await seen({ range }, red, 1), normal.flat());
  });

  it.each(['bilinear', 'tf1-bilinear', 'bicubic'] as const)('resized by %s', async (resize) => {
    const image = mulberry32Array(1, 3 * 5 * 4).map((u) => Math.floor(256 * u));
    const network = open({ file: identityFile([1, 3, 2, 2]), preparation: { ...preparation, resize } });
    const features = await network.extract(Uint8Array.from(image), [3, 5, 4]);
    const [down, across] = [imageResizeWeights(resize, 5, 2), imageResizeWeights(resize, 4, 2)];
    const wanted = Float64Array.from({ length: 12 }, (_, at) => {
      const [c, i, j] = [Math.floor(at / 4), Math.floor(at / 2) % 2, at % 2];
      let sum = 0;
      for (let y = 0; y < 5; y++)
        for (let x = 0; x < 4; x++) sum += down[i * 5 + y]! * across[j * 4 + x]! * image[(c * 5 + y) * 4 + x]!;
      return sum / 255;
    });
    expectClose(features, wanted);
  });

  it('with channels last where the file has them so', async () => {
    const network = open({ file: identityFile([2, 2, 2, 3]), pooling: 'mean' });
    const means = [red, green, blue].map((values) => values.reduce((sum, p) => sum + p / 255 / 4, 0));
    expectClose(await network.extract(Uint8Array.from(pixels), [3, 2, 2]), means);
  });
});

describe('onnxFeatures', () => {
  const size8 = { ...preparation, size: [8, 8] } as const;
  const images = Uint8Array.from(mulberry32Array(7, 5 * 64), (u) => Math.floor(256 * u));

  it('gives each image the same row whatever its batch', async () => {
    const options = { name: 'tiny', preparation: size8, layer: 'means' };
    const one = onnxFeatures(runtime, { ...options, file: classifierFile(1) });
    const four = onnxFeatures(runtime, { ...options, file: classifierFile(4) });
    const rows = await four.extract(images, [1, 8, 8]);
    expect(rows.length).toBe(5 * four.dimensions);
    expect(four.dimensions).toBe(6);
    expectClose(await one.extract(images, [1, 8, 8]), rows);
    const last = await four.extract(images.subarray(4 * 64), [1, 8, 8]);
    expect([...last]).toEqual([...rows.subarray(4 * 6)]);
    expect((await four.extract(new Uint8Array(0), [1, 8, 8])).length).toBe(0);
  });

  it('classifies by the softmax of scores, and keeps their features', async () => {
    const classes = { layer: 'scores', softmax: true };
    const network = onnxFeatures(runtime, {
      name: 'tiny',
      file: classifierFile(4),
      preparation: size8,
      layer: 'active',
      pooling: 'mean',
      classes,
    });
    const plain = onnxFeatures(runtime, { name: 'tiny', file: classifierFile(4), preparation: size8 });
    const features = await network.extract(images, [1, 8, 8]);
    const probabilities = await network.classify!(images, [1, 8, 8]);
    const scores = await plain.extract(images, [1, 8, 8]);
    expect(plain.classify).toBeUndefined();
    expect(features.length).toBe(5 * 6);
    for (let i = 0; i < 5; i++) {
      const row = scores.subarray(5 * i, 5 * i + 5).map(Math.exp);
      const total = row.reduce((sum, value) => sum + value, 0);
      expectClose(
        probabilities.subarray(5 * i, 5 * i + 5),
        row.map((value) => value / total),
      );
    }
    network.release();
    await expect(network.classify!(images, [1, 8, 8])).rejects.toThrow('Expected features to be in use; got released');
  });

  it('takes the first token', async () => {
    const file = networkFile([1, 3, 2, 2], ['tokens', 1, 3, 4], {
      nodes: [node('tokens = Reshape(image, sizes)')],
      initializers: [{ name: 'sizes', dtype: 'int64', shape: [3], data: BigInt64Array.of(1n, 3n, 4n) }],
    });
    const first = open({ file, pooling: 'first', preparation: { ...preparation, range: '[0,255]' } });
    expect([...(await first.extract(Uint8Array.from([...red, ...green, ...blue]), [3, 2, 2]))]).toEqual(red);
    expect(first.network).toBe('test first 2 bilinear [0,255]');
  });

  it('is known by name, layer, preparation and the hash of its file', () => {
    const file = classifierFile(2);
    const folder = mkdtempSync(join(tmpdir(), 'flowloom-test-'));
    writeFileSync(join(folder, 'net.onnx'), file);
    const network = open({ file: join(folder, 'net.onnx'), preparation: size8, layer: 'active', pooling: 'mean' });
    rmSync(folder, { recursive: true });
    expect(network.network).toBe('test:active mean 8 bilinear [0,1]');
    expect(network.hash).toBe(createHash('sha256').update(file).digest('hex').slice(0, 16));
  });

  it.each([
    [{ file: '/nowhere/net.onnx' }, 'Expected `/nowhere/net.onnx` to be a readable ONNX file'],
    [{ file: identityFile([2, 4, 2, 2]) }, 'to have one input, float [batch, 3, height, width]'],
    [{ file: identityFile([2, 3, 4, 4]) }, 'Expected input `image` to be float32 [2, 3, 4, 4]; got f32[2,3,2,2].'],
    [{ file: identityFile([2, 3, 2, 2]), layer: 'other' }, 'Expected a value of the model'],
    [{ file: identityFile([2, 3, 2, 2]), pooling: 'first' }, 'Expected layer `same` to have tokens'],
    [{ file: identityFile([2, 3, 2, 2]), preparation: { ...preparation, size: [0, 2] } }, '`size` to be positive'],
  ] as const)('refuses %j', (options, message) => {
    expect(() => open(options)).toThrow(message);
  });

  it('refuses images that are neither grey nor of three colours', async () => {
    const network = open({ file: identityFile([2, 3, 2, 2]) });
    await expect(network.extract(new Uint8Array(8), [2, 2, 2])).rejects.toThrow(
      'images of one or three channels; got 2',
    );
  });
});
