import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { type DomainFeatures, openDomainFeatures } from '../../src/experiments/domain-features.ts';
import type { NpyArray } from '../../src/formats/npy.ts';
import { writeNpz } from '../../src/formats/npz.ts';
import { mulberry32 } from '../../src/numerics/mulberry32.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());
const newFolder = temporaryFolders();

const count = 120;
/** 8 x 8 grey images in two classes: brighter at the top, or at the bottom. */
function images() {
  const next = mulberry32(1);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const pixels = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const isBottom = i % 64 >= 32 ? 1 : 0;
    return 150 * next() + (isBottom === labels[Math.floor(i / 64)] ? 100 : 0);
  });
  return { pixels, labels };
}

function source({ labelled = true, change = 0 } = {}): string {
  const path = join(newFolder(), 'halves.npz');
  const { pixels, labels } = images();
  pixels[0] = pixels[0]! ^ change;
  const arrays = new Map<string, NpyArray>([['images', { dtype: 'uint8', shape: [count, 8, 8], data: pixels }]]);
  if (labelled) arrays.set('labels', { dtype: 'int32', shape: [count], data: labels });
  writeFileSync(path, writeNpz(arrays));
  return path;
}

type Options = Parameters<typeof openDomainFeatures>[0];

async function opened<T>(options: Omit<Options, 'runtime'>, use: (features: DomainFeatures) => Promise<T> | T) {
  const features = await openDomainFeatures({ runtime, images: 1280, ...options });
  try {
    return await use(features);
  } finally {
    features.release();
  }
}

describe('openDomainFeatures', () => {
  it('learns the labels, says how well, and gives features and probabilities', async () => {
    const { pixels, labels } = images();
    await opened({ data: { source: source() }, folder: null }, async (features) => {
      expect(features.trained.facts).toMatchObject({
        accuracy: 1,
        standardError: 0,
        heldOutCount: 12,
        imagesSeen: 1280,
      });
      expect(features.network).toBe(
        'domain halves.npz:label CNN-2x16-64 accuracy 1.0000 (standard error 0.0000) on 12 images, test split',
      );
      expect(features.hash).toMatch(/^[0-9a-f]{16}$/);
      expect(features.trained).toMatchObject({ cached: false, path: null, classes: ['0', '1'] });
      const values = await features.extract(pixels, [1, 8, 8]);
      const probabilities = await features.classify(pixels, [1, 8, 8]);
      expect([features.dimensions, values.length, probabilities.length]).toEqual([64, count * 64, count * 2]);
      for (const [i, label] of labels.entries()) {
        expect(probabilities[2 * i + label]).toBeGreaterThan(0.5);
        expect(probabilities[2 * i]! + probabilities[2 * i + 1]!).toBeCloseTo(1, 5);
      }
      const tail = await features.extract(pixels.slice(110 * 64), [1, 8, 8]);
      expect(tail).toEqual(values.slice(110 * 64));
      await expect(features.extract(pixels, [1, 4, 16])).rejects.toThrow(/`pixels` to be uint8 \[batch, 1, 8, 8\]/);
      expect(await features.extract(new Uint8Array(0), [1, 8, 8])).toEqual(new Float32Array(0));
    });
  });

  it('reads what it has trained before for the same data, options and version', async () => {
    const [folder, path] = [newFolder(), source()];
    const hashes: (string | null)[] = [];
    const open = (changes: Partial<Options> = {}) =>
      opened({ data: { source: path }, folder, images: 256, ...changes }, ({ hash, trained }) => {
        hashes.push(hash);
        return trained.cached;
      });
    expect([await open(), await open()]).toEqual([false, true]);
    expect(hashes[1]).toBe(hashes[0]);
    expect(await open({ seed: 1 })).toBe(false);
    expect(await open({ images: 320 })).toBe(false);
    expect(await open({ data: { source: path, heldOutSeed: 1 } })).toBe(false);
    expect(await open({ data: { source: source({ change: 1 }) } })).toBe(false);
    expect(new Set(hashes).size).toBe(5);
    expect(readdirSync(folder).filter((name) => /^domain-[0-9a-f]{32}\.safetensors$/.test(name)).length).toBe(5);
    expect(readdirSync(folder).length).toBe(5);
    // A copy elsewhere, and training again without the cache, are the same classifier.
    expect(await open({ data: { source: source() } })).toBe(true);
    expect(await open({ folder: null })).toBe(false);
    expect(hashes.slice(-2)).toEqual([hashes[0], hashes[0]]);
  });

  it('trains again where the file of the cache is damaged, cut or of other parameters', async () => {
    const [folder, path] = [newFolder(), source()];
    const open = () => opened({ data: { source: path }, folder, images: 64 }, ({ trained }) => trained);
    const file = (await open()).path!;
    const bytes = readFileSync(file);
    const damage = [
      bytes.with(bytes.length - 1, bytes[bytes.length - 1]! ^ 1),
      bytes.subarray(0, bytes.length - 1),
      Buffer.from(bytes.toString('latin1').replace('accuracy', 'accurate'), 'latin1'),
    ];
    for (const damaged of damage) {
      writeFileSync(file, damaged);
      expect((await open()).cached).toBe(false);
      expect((await open()).cached).toBe(true);
    }
  });

  it('keeps a tenth of the training images back where none are held out', async () => {
    await opened({ data: { source: source(), heldOut: null }, folder: null, images: 64 }, ({ network, trained }) => {
      expect(trained.measuredOn).toBe('kept back from training');
      expect(trained.facts.heldOutCount).toBe(12);
      expect(network).toMatch(/on 12 images, kept back from training$/);
    });
  });

  it('refuses data without labels', async () => {
    const opening = opened({ data: { source: source({ labelled: false }) }, folder: null }, () => {});
    await expect(opening).rejects.toThrow(/to have labels.*got none.*Try a folder for each class/);
  });

  it('keeps nothing when it is stopped', async () => {
    const folder = newFolder();
    const stop = new AbortController();
    const opening = opened(
      {
        data: { source: source() },
        folder,
        images: 1e9,
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('stopped')),
      },
      () => {},
    );
    await expect(opening).rejects.toThrow('stopped');
    expect(readdirSync(folder)).toEqual([]);
  });
});
