import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachedFeatures } from '../../../src/metrics/features/feature-cache.ts';
import type { FeatureNetwork } from '../../../src/metrics/features/feature-network.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowloom-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Sums of each image's pixels, and how often they were computed. */
function countingNetwork(facts: Partial<FeatureNetwork> = {}) {
  const calls: number[] = [];
  const network: FeatureNetwork = {
    network: 'sums 2 bilinear [0,1]',
    hash: 'abc',
    dimensions: 1,
    async extract(pixels) {
      calls.push(pixels.length);
      return Float32Array.from({ length: pixels.length / 2 }, (_, i) => pixels[2 * i]! + pixels[2 * i + 1]!);
    },
    release() {},
    ...facts,
  };
  return { calls, network };
}

const images = { pixels: Uint8Array.of(1, 2, 30, 40, 5, 6), shape: [1, 1, 2], data: 'test, train' } as const;
const files = () => readdirSync(join(folder, 'features'));
const only = () => join(folder, 'features', files()[0]!);

describe('cachedFeatures', () => {
  it('computes features once', async () => {
    const { calls, network } = countingNetwork();
    const first = await cachedFeatures(network, images, { folder });
    const second = await cachedFeatures(network, { ...images, data: 'the same by another name' }, { folder });
    expect([...first]).toEqual([3, 70, 11]);
    expect(second).toEqual(first);
    expect(calls).toEqual([6]);
    expect(files()).toHaveLength(1);
  });

  it('computes them again for other pixels, shapes, networks, layers or files of a network', async () => {
    const { calls, network } = countingNetwork();
    await cachedFeatures(network, images, { folder });
    await cachedFeatures(network, { ...images, pixels: Uint8Array.of(1, 2, 30, 40, 5, 7) }, { folder });
    await cachedFeatures(network, { ...images, shape: [1, 2, 1] }, { folder });
    await cachedFeatures({ ...network, hash: 'abd' }, images, { folder });
    await cachedFeatures({ ...network, network: 'sums 2 bicubic [0,1]' }, images, { folder });
    expect(calls).toHaveLength(5);
    expect(files()).toHaveLength(5);
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -3)],
    ['changed', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes.at(-1)! ^ 1)])],
    ['emptied', () => Buffer.alloc(0)],
  ] as const)('computes a file again that was %s, and says so', async (_how, change) => {
    const { calls, network } = countingNetwork();
    const wanted = await cachedFeatures(network, images, { folder });
    const whole = readFileSync(only());
    writeFileSync(only(), change(whole));
    const notes: string[] = [];
    const note = (text: string) => notes.push(text);
    expect(await cachedFeatures(network, images, { folder, note })).toEqual(wanted);
    expect(calls).toEqual([6, 6]);
    expect(notes).toEqual([expect.stringContaining('are broken')]);
    expect(readFileSync(only())).toEqual(whole);
  });

  it('serves writers at the same time, and leaves no other files', async () => {
    const { network } = countingNetwork();
    const all = await Promise.all(Array.from({ length: 8 }, () => cachedFeatures(network, images, { folder })));
    for (const features of all) expect([...features]).toEqual([3, 70, 11]);
    expect(files()).toHaveLength(1);
    expect(files()[0]).toMatch(/^[0-9a-f]{32}\.safetensors$/);
  });

  it('keeps nothing of features without a hash', async () => {
    const { calls, network } = countingNetwork({ hash: null });
    await cachedFeatures(network, images, { folder });
    await cachedFeatures(network, images, { folder });
    expect(calls).toEqual([6, 6]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
