import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportRequest } from '../../src/experiments/export-request.ts';
import { exportRun } from '../../src/experiments/export-run.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { readParameters } from '../../src/experiments/run-parameters.ts';
import { openTrainedRun } from '../../src/experiments/trained-run.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-export-'));
const runs = {
  points: join(folder, 'points'),
  pictures: join(folder, 'pictures'),
  unet: join(folder, 'unet'),
};
const configs = {
  points: smallConfig('points'),
  pictures: smallConfig('pictures'),
  unet: smallConfig('pictures', {
    data: { kind: 'images', source: 'fashion' },
    model: { kind: 'unet', labels: true, channels: [8, 8], blocks: 1, attention: [1], headChannels: 4, groups: 2 },
    sampling: { solver: { kind: 'heun', steps: 3 }, guidance: 2, batchSize: 4 },
  }),
};

beforeAll(async () => {
  for (const kind of ['points', 'pictures', 'unet'] as const) await trained(runs[kind], configs[kind]);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function exported(kind: keyof typeof runs, change: Partial<ExportRequest> = {}) {
  const target = mkdtempSync(join(folder, 'export-'));
  const outcome = await exportRun({
    model: runs[kind],
    folder: target,
    sampling: configs[kind].sampling,
    provider: 'cpu',
    ema: true,
    batch: null,
    unrolled: false,
    fusedAttention: false,
    weights: 'onnx',
    names: 'own',
    attentionRows: 'head',
    ...change,
  });
  return { folder: target, outcome };
}

const parsed = (path: string) => fromBinary(ModelProtoSchema, readFileSync(path));
const int64 = (values: readonly number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
const int32 = (values: readonly number[]) => new Tensor('int32', Int32Array.from(values), [values.length]);

/** What `sample` makes of the same seeds and labels. */
async function sampledArrays(kind: keyof typeof runs, seeds: readonly number[], labels: readonly number[] | null) {
  const path = join(folder, `${kind}.npz`);
  const { sampling } = configs[kind];
  await sampled(runs[kind], { seeds, labels, sampling, arraysPath: path });
  return readNpz(readFileSync(path)).get('samples')!.data as Float32Array;
}

const pixel = (latent: number) => Math.min(255, Math.max(0, Math.round((latent + 1) * 127.5)));

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe('sampler.onnx in the public binding of onnxruntime-node', () => {
  it('makes the pixels of `sample`, whatever the number of seeds', async () => {
    const files = await exported('unet');
    expect(files.outcome).toMatchObject({ batch: null, evaluations: 12 });
    const session = await InferenceSession.create(join(files.folder, 'sampler.onnx'));
    const [seeds, labels] = [
      [0, 5, 2 ** 32 - 1],
      [1, 10, 0],
    ];
    const wanted = (await sampledArrays('unet', seeds, labels)).map(pixel);
    const { pixels } = await session.run({ seeds: int64(seeds), labels: int32(labels) });
    expect(pixels).toMatchObject({ type: 'uint8', dims: [3, 1, 28, 28] });
    expect(largestDifference(pixels!.data as Uint8Array, wanted)).toBeLessThanOrEqual(1);
    const alone = await session.run({ seeds: int64([5]), labels: int32([10]) });
    expect(largestDifference(alone.pixels!.data as Uint8Array, wanted.slice(784, 1568))).toBeLessThanOrEqual(1);
    await session.release();
  });

  it.each(['euler', 'midpoint', 'ralston', 'heun3', 'rk4', 'rk4-38'] as const)('writes %s out', async (kind) => {
    const sampling = { ...configs.points.sampling, solver: { kind, steps: 3, grid: { kind: 'cosine' } } } as const;
    const files = await exported('points', { sampling });
    const path = join(folder, `${kind}.npz`);
    await sampled(runs.points, { seeds: [3, 4], labels: [0, 1], sampling, arraysPath: path });
    const wanted = readNpz(readFileSync(path)).get('samples')!.data as Float32Array;
    const session = await InferenceSession.create(join(files.folder, 'sampler.onnx'));
    const { samples } = await session.run({ seeds: int64([3, 4]), labels: int32([0, 1]) });
    expect(samples!.dims).toEqual([2, 2]);
    expect(largestDifference(samples!.data as Float32Array, wanted)).toBeLessThan(1e-5);
    await session.release();
  });

  it('gives the same with every step written out', async () => {
    const sums = { cpu: 0, webgpu: 1 };
    const inputs = { seeds: int64([1, 2]), labels: int32([3, 4]) };
    const repeated = await exported('unet');
    const session = await InferenceSession.create(join(repeated.folder, 'sampler.onnx'));
    const wanted = (await session.run(inputs)).pixels!.data as Uint8Array;
    await session.release();
    for (const provider of ['cpu', 'webgpu'] as const) {
      const { folder: place } = await exported('unet', { provider, unrolled: true });
      expect(parsed(join(place, 'sampler.onnx')).graph!.node.some(({ opType }) => opType === 'Loop')).toBe(false);
      const other = await InferenceSession.create(join(place, 'sampler.onnx'));
      const pixels = (await other.run(inputs)).pixels!.data as Uint8Array;
      expect(largestDifference(pixels, wanted)).toBeLessThanOrEqual(sums[provider]);
      await other.release();
    }
  });

  it.each(['unet', 'pictures'] as const)('makes the same of %s where attention is one operator', async (kind) => {
    const inputs = { seeds: int64([1, 2]), labels: int32([0, 1]) };
    const pixelsOf = async (fusedAttention: boolean) => {
      const { folder: place } = await exported(kind, { fusedAttention });
      const session = await InferenceSession.create(join(place, 'sampler.onnx'));
      const { pixels } = await session.run(inputs);
      await session.release();
      const bytes = readFileSync(join(place, 'velocity.onnx'));
      expect(bytes.includes('MultiHeadAttention')).toBe(fusedAttention);
      return pixels!.data as Uint8Array;
    };
    expect(largestDifference(await pixelsOf(true), await pixelsOf(false))).toBeLessThanOrEqual(1);
  });

  it.each([2, null])('makes transformers, too, for a batch of %s and without the average', async (batch) => {
    const files = await exported('pictures', { batch, ema: false });
    const path = join(folder, 'plain.npz');
    const { sampling } = configs.pictures;
    await sampled(runs.pictures, { seeds: [8, 9], sampling, ema: false, arraysPath: path });
    const wanted = (readNpz(readFileSync(path)).get('samples')!.data as Float32Array).map(pixel);
    const session = await InferenceSession.create(join(files.folder, 'sampler.onnx'));
    const { pixels } = await session.run({ seeds: int64([8, 9]) });
    expect(largestDifference(pixels!.data as Uint8Array, wanted)).toBeLessThanOrEqual(1);
    if (batch !== null) await expect(session.run({ seeds: int64([8]) })).rejects.toThrow(/dimension/);
    await session.release();
  });
});

describe('the files', () => {
  it('say what they are, and take a batch of any size', async () => {
    const files = await exported('unet');
    const model = parsed(join(files.folder, 'sampler.onnx'));
    const facts = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
    expect(facts).toMatchObject({ parameters: 'ema', guidance: '2', images_seen: '16', shape: '[1,28,28]' });
    expect(JSON.parse(facts.solver!)).toMatchObject({ kind: 'heun', steps: 3 });
    expect(JSON.parse(facts.classes!)).toHaveLength(10);
    expect(facts.config_sha256).toMatch(/^[0-9a-f]{64}$/);
    const { graph } = parsed(join(files.folder, 'velocity.onnx'));
    const ports = [...graph!.input, ...graph!.output].map(({ name, type }) => {
      const tensor = type?.value.case === 'tensorType' ? type.value.value : null;
      return [name, ...tensor!.shape!.dim.map((dim) => dim.value.value)];
    });
    expect(ports).toEqual([
      ['x', 'batch', 1n, 28n, 28n],
      ['time', 'batch'],
      ['labels', 'batch'],
      ['velocity', 'batch', 1n, 28n, 28n],
    ]);
    const readme = readFileSync(join(files.folder, 'README.md'), 'utf8');
    for (const text of ['onnxruntime-node', 'onnxruntime-web', 'import numpy', '`seeds`', '9 ']) {
      expect(readme).toContain(text);
    }
  });

  it('hold the parameters under their paths', async () => {
    const files = await exported('unet');
    const run = await openTrainedRun(runs.unet);
    const parameters = await readParameters(run.checkpoint, 'ema');
    const { graph } = parsed(join(files.folder, 'velocity.onnx'));
    const held = new Map(graph!.initializer.map(({ name, rawData }) => [name, rawData]));
    for (const [path, values] of Object.entries(parameters)) {
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
      expect(bytes.equals(held.get(path)!), path).toBe(true);
    }
  });

  it('put large weights beside the model where they pass a limit', async () => {
    const files = await exported('unet', { mostInsideBytes: 1000 });
    const path = join(files.folder, 'velocity.onnx');
    expect(files.outcome.paths).toContain(`${path}.data`);
    const { graph } = parsed(path);
    const apart = graph!.initializer.filter(({ dataLocation }) => dataLocation === TensorProto_DataLocation.EXTERNAL);
    expect(apart.length).toBeGreaterThan(3);
    expect(apart.every(({ rawData }) => rawData.length === 0)).toBe(true);
    const end = Math.max(
      ...apart.map(({ externalData }) => {
        const at = Object.fromEntries(externalData.map(({ key, value }) => [key, value]));
        expect(at.location).toBe('velocity.onnx.data');
        return Number(at.offset) + Number(at.length);
      }),
    );
    expect(statSync(`${path}.data`).size).toBe(end);
    const inside = await exported('unet');
    const inputs = {
      x: new Tensor(
        'float32',
        Float32Array.from({ length: 784 }, (_, i) => Math.sin(i)),
        [1, 1, 28, 28],
      ),
      time: new Tensor('float32', Float32Array.of(0.3), [1]),
      labels: int32([4]),
    };
    const velocities = [];
    for (const place of [path, join(inside.folder, 'velocity.onnx')]) {
      const session = await InferenceSession.create(place);
      velocities.push((await session.run(inputs)).velocity!.data);
      await session.release();
    }
    expect(velocities[0]).toEqual(velocities[1]);
    const sampler = await InferenceSession.create(join(files.folder, 'sampler.onnx'));
    const wanted = (await sampledArrays('unet', [1], [2])).map(pixel);
    const { pixels } = await sampler.run({ seeds: int64([1]), labels: int32([2]) });
    expect(largestDifference(pixels!.data as Uint8Array, wanted)).toBeLessThanOrEqual(1);
    await sampler.release();
    expect(existsSync(join(inside.folder, 'velocity.onnx.data'))).toBe(false);
  });

  it('are the weights alone where those are asked for', async () => {
    const files = await exported('points', { weights: 'safetensors', ema: false });
    expect(files.outcome.paths).toEqual([join(files.folder, 'weights.safetensors')]);
    const { tensors, metadata } = readSafetensors(readFileSync(files.outcome.paths[0]!));
    const { checkpoint } = await openTrainedRun(runs.points);
    const parameters = await readParameters(checkpoint, 'parameters');
    expect([...tensors.keys()].sort()).toEqual(Object.keys(parameters).sort());
    for (const [path, { data }] of tensors) expect(data).toEqual(parameters[path]);
    expect(metadata).toMatchObject({ parameters: 'parameters', images_seen: '640' });
  });
});

describe('exportRun', () => {
  it('refuses a solver that chooses its own steps, with a remedy', async () => {
    const { sampling } = readConfig('two-moons-mlp', { set: ['sampling.solver.kind=dopri5'] });
    await expect(exported('points', { sampling })).rejects.toThrow(/fixed steps.*got dopri5.*Try --solver midpoint/s);
  });
});
