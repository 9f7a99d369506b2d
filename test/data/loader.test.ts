import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/batch.ts';
import { type ImageDataset, readImages, subset } from '../../src/data/image-dataset.ts';
import { type LoaderOptions, openLoader, openVectorLoader } from '../../src/data/loader.ts';
import { openDataset, openVectors } from '../../src/data/open-dataset.ts';
import { ConfigError, DataError, FlowError } from '../../src/errors.ts';
import { cutFile, imageFile, writeFiles } from './image-files.ts';
import { temporaryFolders } from './temporary-folder.ts';

const newFolder = temporaryFolders();

async function take(dataset: ImageDataset, batches: number, options: Partial<LoaderOptions> = {}): Promise<Batch[]> {
  const loader = openLoader(dataset, { seed: 7, batch: 8, flip: true, ...options });
  try {
    const taken: Batch[] = [];
    for (let i = 0; i < batches; i++) taken.push(await loader.next());
    return taken;
  } finally {
    await loader.close();
  }
}

async function smallFashion(count = 30): Promise<ImageDataset> {
  const fashion = await openDataset({ source: 'fashion', split: 'test' });
  return subset(
    fashion,
    Array.from({ length: count }, (_, i) => 3 * i),
  );
}

async function smallFolder(count = 30): Promise<ImageDataset> {
  const files: { [name: string]: Uint8Array } = {};
  for (let i = 0; i < count; i++) files[`${i % 3}/${i}.png`] = await imageFile({ colour: [i, 2 * i, 255 - i] });
  return openDataset({ source: writeFiles(newFolder(), files), heldOut: null, cacheBytes: 0 });
}

/** The number of handles of threads that keep the process alive. */
function threadHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length;
}

describe('openLoader', () => {
  it('gives the pixels, labels and mirroring that its indices say', async () => {
    const set = await smallFashion();
    const [batch] = await take(set, 1);
    expect(batch!.shape).toEqual([8, 1, 28, 28]);
    const plain = await readImages(set, batch!.indices);
    expect(new Set(batch!.flipped).size).toBe(2);
    for (let row = 0; row < 8; row++) {
      expect(batch!.labels[row]).toBe(set.labels[batch!.indices[row]!]);
      for (let place = 0; place < 784; place++) {
        const x = place % 28;
        const from = batch!.flipped[row] === 1 ? place - x + 27 - x : place;
        expect(batch!.pixels[row * 784 + place]).toBe(plain[row * 784 + from]);
      }
    }
  });

  it.each([
    ['in memory', smallFashion, [1, 2, 4]],
    ['of image files', smallFolder, [2]],
  ])('gives the same batches of a set %s with and without threads', async (_, open, threads) => {
    const set = await open();
    const inline = await take(set, 12, { workers: 0 });
    for (const workers of threads) expect(await take(set, 12, { workers, ahead: workers })).toEqual(inline);
  });

  it('starts at any number of images seen as if it had never stopped', async () => {
    const set = await smallFashion();
    const whole = await take(set, 10);
    for (const done of [1, 3, 9]) {
      expect(await take(set, 10 - done, { imagesSeen: 8 * done })).toEqual(whole.slice(done));
    }
    expect(whole.map((batch) => batch.imagesSeen)).toEqual([0, 8, 16, 24, 32, 40, 48, 56, 64, 72]);
  });

  it('runs across epochs, losing nothing', async () => {
    const batches = await take(await smallFashion(12), 6, { batch: 8 });
    const seen = batches.flatMap((batch) => [...batch.indices]);
    for (let epoch = 0; epoch < 4; epoch++) expect(new Set(seen.slice(12 * epoch, 12 * epoch + 12)).size).toBe(12);
  });

  it('takes batches larger than the set', async () => {
    const [batch] = await take(await smallFashion(3), 1, { batch: 10 });
    expect(batch!.pixels).toHaveLength(7840);
  });

  it('keeps whole batches within an epoch on request', async () => {
    const batches = await take(await smallFashion(12), 20, { batch: 5, wholeBatches: true });
    for (let i = 0; i < 20; i += 2) {
      expect(new Set([...batches[i]!.indices, ...batches[i + 1]!.indices]).size).toBe(10);
    }
    await expect(take(await smallFashion(4), 1, { batch: 5, wholeBatches: true })).rejects.toThrow(
      "Expected `batch` to be at most the set's 4 images, because of `wholeBatches`; got 5.",
    );
  });

  it('answers overlapping calls in order', async () => {
    const set = await smallFashion();
    const loader = openLoader(set, { seed: 7, batch: 8, flip: true, workers: 2 });
    const batches = await Promise.all(Array.from({ length: 10 }, () => loader.next()));
    await loader.close();
    expect(batches).toEqual(await take(set, 10, { workers: 0 }));
  });

  it('is an async iterable', async () => {
    const loader = openLoader(await smallFashion(), { seed: 7, batch: 8 });
    let seen = 0;
    for await (const batch of loader) {
      expect(batch.imagesSeen).toBe(seen);
      seen += 8;
      if (seen === 40) break;
    }
    await loader.close();
  });

  it('reads no more than it was told ahead of its use', async () => {
    const set = await smallFolder();
    let reads = 0;
    const store = set.source.store;
    if (store.kind !== 'files') throw new Error('expected files');
    const files = new Proxy(store.files, {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, receiver);
      },
    });
    const counted = { ...set, source: { ...set.source, store: { ...store, files } } };
    const loader = openLoader(counted, { seed: 0, batch: 2, workers: 0, ahead: 3 });
    await loader.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads).toBe(2 * 4);
    await loader.close();
  });

  it.each([0, 2])('replaces unreadable images and names them, with %d threads', async (workers) => {
    const good = await imageFile({ width: 32, height: 32 });
    const source = writeFiles(newFolder(), { 'a/1.png': good, 'a/2.png': await cutFile(32), 'b/3.png': good });
    const set = await openDataset({ source, heldOut: null });
    const loader = openLoader(set, { seed: 0, batch: 6, workers });
    const batch = await loader.next();
    await loader.close();
    expect([...batch.indices].sort()).toEqual([0, 0, 2, 2, 2, 2]);
    expect([...batch.labels]).toEqual([...batch.indices].map((index) => set.labels[index]));
    expect([...loader.skipped.keys()]).toEqual([`${source}/a/2.png`]);
  });

  it.each([0, 1])(
    'passes errors on with class and message, at the batch they belong to, with %d threads',
    async (workers) => {
      const good = await imageFile({ width: 32, height: 32 });
      const source = writeFiles(newFolder(), { '1.png': good, '2.png': good, '3.png': await cutFile(32) });
      const set = await openDataset({ source, heldOut: null, strict: true });
      const loader = openLoader(set, { seed: 0, batch: 1, shuffle: false, workers });
      expect((await loader.next()).indices[0]).toBe(0);
      expect((await loader.next()).indices[0]).toBe(1);
      const error = await loader.next().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(DataError);
      expect(String(error)).toMatch(/3\.png` to be a readable image; got .* Try to remove/);
      expect((await loader.next()).indices[0]).toBe(0);
      await loader.close();
    },
  );

  it('leaves no thread behind, and says that it is closed', async () => {
    const before = threadHandles();
    const loader = openLoader(await smallFashion(), { seed: 7, batch: 8, workers: 4 });
    await loader.next();
    await loader.close();
    await loader.close();
    expect(threadHandles()).toBe(before);
    await expect(loader.next()).rejects.toThrow(FlowError);
    await expect(loader.next()).rejects.toThrow('The loader is closed.');
  });

  it('does not keep a process alive that forgot to close it', () => {
    const open = new URL('../../src/data/open-dataset.ts', import.meta.url);
    const load = new URL('../../src/data/loader.ts', import.meta.url);
    const program = `
      const { openDataset } = await import('${open}');
      const { openLoader } = await import('${load}');
      const loader = openLoader(await openDataset({ source: 'fashion', split: 'test' }), { seed: 0, batch: 4, workers: 2 });
      console.log((await loader.next()).pixels.length);`;
    const options = { encoding: 'utf8', timeout: 30_000 } as const;
    const argv = ['--import', 'tsx', '--input-type=module', '--eval', program];
    expect(execFileSync(process.execPath, argv, options).trim()).toBe(String(4 * 784));
  });

  it.each([
    ['batch', { batch: 0 }],
    ['imagesSeen', { imagesSeen: -1 }],
    ['workers', { workers: 0.5 }],
    ['ahead', { ahead: 0 }],
  ])('refuses %s out of range', async (name, options) => {
    const set = await smallFashion(2);
    expect(() => openLoader(set, { seed: 0, batch: 1, ...options })).toThrow(ConfigError);
    expect(() => openLoader(set, { seed: 0, batch: 1, ...options })).toThrow(`\`${name}\``);
  });
});

describe('openVectorLoader', () => {
  it('gives the vectors in the order that images would have, from any start', async () => {
    const set = await openVectors({ source: 'two-moons', count: 20 });
    const loader = openVectorLoader(set, { seed: 7, batch: 8 });
    const resumed = openVectorLoader(set, { seed: 7, batch: 8, imagesSeen: 8 });
    const images = await take(await smallFashion(20), 3, { flip: false });
    const batches = [await loader.next(), await loader.next(), await loader.next()];
    expect(batches.map((batch) => [...batch.indices])).toEqual(images.map((batch) => [...batch.indices]));
    expect([await resumed.next(), await resumed.next()]).toEqual(batches.slice(1));
    const { vectors, indices, labels } = batches[2]!;
    expect([...vectors.subarray(2, 4)]).toEqual([...set.vectors.subarray(2 * indices[1]!, 2 * indices[1]! + 2)]);
    expect(labels[1]).toBe(set.labels[indices[1]!]);
    await loader.close();
    await expect(loader.next()).rejects.toThrow('The loader is closed.');
  });
});
