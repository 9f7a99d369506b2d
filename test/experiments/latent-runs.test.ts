import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHeader } from '../../src/data/latent-cache.ts';
import { openAutoencoderRun } from '../../src/experiments/autoencoder-run.ts';
import type { RunConfigInput } from '../../src/experiments/config.ts';
import { runner } from '../../src/experiments/run.ts';
import { openRunData } from '../../src/experiments/run-data.ts';
import { readRunConfig } from '../../src/experiments/run-directory.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { writeAutoencoderRun, writePictures } from './small-autoencoders.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

let folder = '';
let autoencoder = '';
let pictures = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flowloom-latents-'));
  autoencoder = await writeAutoencoderRun(join(folder, 'autoencoder'), 1);
  pictures = writePictures(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A flow on latents of the pictures. */
function latentConfig(change: Omit<Partial<RunConfigInput>, 'training'> & { readonly training?: object } = {}) {
  return smallConfig('pictures', {
    data: { kind: 'images', source: pictures, heldOut: 0.2, flip: true },
    latent: { kind: 'autoencoder', run: autoencoder, cache: join(folder, 'cache') },
    model: { kind: 'dit', patch: 2, width: 16, depth: 1, heads: 2, labels: true },
    ...change,
    training: { images: 32, batchSize: 8, validation: { everyImages: 16, images: 4 }, ...change.training },
  });
}

describe('a flow on latents', () => {
  it('encodes the images once, trains, and keeps the hash and the normalisation', async () => {
    const directory = join(folder, 'flow');
    const { outcome, events } = await trained(directory, latentConfig());
    expect(outcome.validation?.samples).toBe(4);
    const { hash } = await openAutoencoderRun(autoencoder);
    const [train, held] = ['train', 'held-out'].map((part) => readHeader(join(folder, 'cache', part))!);
    expect([train!.count, train!.flips, train!.encoder]).toEqual([24, true, hash]);
    expect([held!.count, held!.flips, held!.encoder]).toEqual([6, false, hash]);
    const { latent } = readRunConfig(directory);
    expect(latent).toMatchObject({ encoder: hash, normalization: train!.moments });
    const encoding = (all: typeof events) => all.filter((event) => event.kind === 'work');
    expect(encoding(events)).not.toEqual([]);
    const again = await trained(join(folder, 'again'), latentConfig());
    expect(encoding(again.events)).toEqual([]);
    expect(again.outcome.validation).toEqual(outcome.validation);
  });

  it('learns targets of mean 0 and standard deviation 1, of the images in the order of pixels', async () => {
    const [latents, pixels] = await Promise.all([
      openRunData(latentConfig()),
      openRunData(latentConfig({ latent: { kind: 'identity' } })),
    ]);
    const rows = Uint32Array.from({ length: 48 }, (_, i) => i % 24);
    const all = await latents.rows.read(
      rows,
      Uint8Array.from(rows, (_, i) => (i < 24 ? 0 : 1)),
    );
    for (const channel of [0, 1, 2, 3]) {
      const values = all.filter((_, i) => Math.floor(i / 16) % 4 === channel);
      const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
      const square = values.reduce((sum, one) => sum + one * one, 0) / values.length;
      expect(mean).toBeCloseTo(0, 5);
      expect(square).toBeCloseTo(1, 5);
    }
    const [one, other] = [latents.open(8), pixels.open(8)];
    const [latentBatch, pixelBatch] = [await one.next(), await other.next()];
    expect(latentBatch.indices).toEqual(pixelBatch.indices);
    expect(latentBatch.flipped).toEqual(pixelBatch.flipped);
    expect(latentBatch.labels).toEqual(pixelBatch.labels);
    // Encoding the pixels of that batch gives its targets, but for what float16 rounds.
    const encoded = await latents.latent!.encode(await pixels.latent!.decode(pixelBatch.target));
    encoded.forEach((value, i) => {
      expect(Math.abs(value - latentBatch.target[i]!)).toBeLessThan(0.02);
    });
    await other.close();
    latents.release();
  });

  it('gives pixels, without its cache', async () => {
    const directory = join(folder, 'flow');
    renameSync(join(folder, 'cache'), join(folder, 'away'));
    const gridPath = join(folder, 'grid.png');
    const arraysPath = join(folder, 'samples.npz');
    const { outcome } = await sampled(directory, { gridPath, arraysPath });
    renameSync(join(folder, 'away'), join(folder, 'cache'));
    expect(outcome.samples).toBe(3);
    // Two columns and two rows of 8 x 8 pixels with their borders.
    const png = readFileSync(gridPath);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)].every((side) => side >= 16 && side < 30)).toBe(true);
    const samples = readNpz(readFileSync(arraysPath)).get('samples');
    expect(samples?.shape).toEqual([3, 4, 4, 4]);
  });

  it('is judged by its pixels, during training and after it', async () => {
    const evaluation = { everyImages: 32, metrics: ['frechet'], features: 'pixels', count: 4, referenceCount: 4 };
    const directory = join(folder, 'judged');
    const { events } = await trained(directory, latentConfig({ training: { evaluation } }));
    const [told] = events.filter((event) => event.kind === 'evaluation');
    const outcome = await runner.evaluate({
      kind: 'model',
      model: directory,
      metrics: ['frechet'],
      features: 'pixels',
      seeds: { first: 0, count: 4 },
      against: 'train',
      referenceCount: 4,
      ema: true,
      sampling: readRunConfig(directory).sampling,
      runtime: readRunConfig(directory).runtime,
      outPath: null,
      signal: new AbortController().signal,
      onEvent: () => {},
    });
    expect(outcome.record.metrics).toEqual(told?.metrics);
  });

  it('takes couplings that read rows in any order', async () => {
    const coupling = { kind: 'loom', perClass: true } as const;
    const { outcome } = await trained(join(folder, 'loom'), latentConfig({ coupling }));
    expect(outcome.imagesSeen).toBe(32);
  });

  it('resumed equals the same flow uninterrupted', async () => {
    const directory = join(folder, 'interrupted');
    const controller = new AbortController();
    const config = latentConfig({ training: { checkpoint: { everyImages: 16 } } });
    await trained(directory, config, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === 'checkpoint' && event.imagesSeen === 16) controller.abort();
      },
    });
    const rest = await trained(directory, readRunConfig(directory), { resume: true });
    const whole = await trained(join(folder, 'uninterrupted'), config);
    expect(rest.outcome.validation).toEqual(whole.outcome.validation);
  });
});

describe('the exported sampler of a flow on latents', () => {
  it('ends in the decoder', async () => {
    const directory = join(folder, 'flow');
    const target = join(folder, 'export');
    const { sampling } = readRunConfig(directory);
    await runner.exportRun({
      model: directory,
      folder: target,
      sampling,
      provider: 'cpu',
      ema: true,
      batch: null,
      unrolled: false,
      fusedAttention: false,
      weights: 'onnx',
      names: 'own',
      attentionRows: 'head',
    });
    const arraysPath = join(folder, 'to-decode.npz');
    await sampled(directory, { seeds: [4, 5], labels: [0, 1], sampling, arraysPath });
    const latents = readNpz(readFileSync(arraysPath)).get('samples')!.data as Float32Array;
    const data = await openRunData(readRunConfig(directory));
    const wanted = await data.latent!.decode(latents);
    data.release();
    const session = await InferenceSession.create(join(target, 'sampler.onnx'));
    const { pixels } = await session.run({
      seeds: new Tensor('int64', BigInt64Array.of(4n, 5n), [2]),
      labels: new Tensor('int32', Int32Array.of(0, 1), [2]),
    });
    await session.release();
    expect(pixels!.dims).toEqual([2, 3, 8, 8]);
    // A latent between two codes may fall to the other one.
    const other = wanted.filter((value, i) => Math.abs(value - Number(pixels!.data[i])) > 1).length;
    expect(other).toBeLessThan(wanted.length / 20);
    const { hash } = await openAutoencoderRun(autoencoder);
    expect(readFileSync(join(target, 'sampler.onnx')).includes(hash)).toBe(true);
    expect(readFileSync(join(target, 'README.md'), 'utf8')).toContain('The decoder of the autoencoder is inside');
  });
});

describe('the autoencoder of a flow', () => {
  it('that changed is refused, both hashes named, for a cache and for a run', async () => {
    const other = await writeAutoencoderRun(join(folder, 'other'), 2);
    const [first, second] = [await openAutoencoderRun(autoencoder), await openAutoencoderRun(other)];
    const cache = join(folder, 'cache');
    await expect(
      trained(join(folder, 'refused'), latentConfig({ latent: { kind: 'autoencoder', run: other, cache } })),
    ).rejects.toThrow(
      `Expected the cache \`${join(cache, 'train')}\` to hold latents of the encoder ${second.hash}; got those of the encoder ${first.hash}.`,
    );
    expect(existsSync(join(folder, 'refused'))).toBe(false);
    const directory = join(folder, 'orphan', 'flow');
    const own = await writeAutoencoderRun(join(folder, 'orphan', 'vq'), 1);
    await trained(directory, latentConfig({ latent: { kind: 'autoencoder', run: own, cache } }));
    rmSync(own, { recursive: true });
    await expect(sampled(directory)).rejects.toThrow(own);
    await writeAutoencoderRun(own, 2);
    await expect(sampled(directory)).rejects.toThrow(`to be the autoencoder ${first.hash}; got ${second.hash}.`);
  });

  it('is found beside its flow when both were moved', async () => {
    const own = await writeAutoencoderRun(join(folder, 'before', 'vq'), 1);
    const cache = join(folder, 'cache');
    await trained(join(folder, 'before', 'flow'), latentConfig({ latent: { kind: 'autoencoder', run: own, cache } }));
    renameSync(join(folder, 'before'), join(folder, 'after'));
    expect((await sampled(join(folder, 'after', 'flow'))).outcome.samples).toBe(3);
  });

  it('of another size than the images is refused', async () => {
    const data = { kind: 'images', source: 'portraits' } as const;
    await expect(trained(join(folder, 'large'), latentConfig({ data }))).rejects.toThrow('[3, 8, 8]');
  });
});
