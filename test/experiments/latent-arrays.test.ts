import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig, type RunConfigInput } from '../../src/experiments/config.ts';
import { openLatentArrays } from '../../src/experiments/latent-arrays.ts';
import { readNpz, writeNpz } from '../../src/formats/npz.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-latents-'));
afterAll(() => rmSync(folder, { recursive: true }));

const shape = [2, 4, 4] as const;
const [count, elements] = [6, 32];

/** A file with latents whose numbers count up, and labels. */
function file(
  name: string,
  axes: readonly number[] = [count, ...shape],
  labels: readonly number[] = [0, 1, 2, 0, 1, 2],
) {
  const path = join(folder, name);
  const data = Float32Array.from({ length: count * elements }, (_, i) => i / 100 - 1);
  writeFileSync(
    path,
    writeNpz(
      new Map([
        ['x', { dtype: 'float32', shape: axes, data }],
        ['y', { dtype: 'int32', shape: [count], data: Int32Array.from(labels) }],
      ]),
    ),
  );
  return path;
}

function config(source: string | null, change: Partial<RunConfigInput> = {}) {
  const model = { kind: 'dit', labels: true, patch: 2, width: 8, depth: 1, heads: 2 } as const;
  const data = { kind: 'latents', source, shape: [...shape], classes: 3 } as const;
  return smallConfig('pictures', { data, model, ...change });
}

function opened(settings: ReturnType<typeof config>) {
  if (settings.data.kind !== 'latents') throw new Error('other data');
  return openLatentArrays(settings.data, settings);
}

describe('latents of a file', () => {
  it('are trained on and sampled as maps, with labels', async () => {
    const settings = config(file('a.npz'));
    const data = await opened(settings);
    expect(data).toMatchObject({ shape: [...shape], classes: ['0', '1', '2'], count });
    expect([...(await data.rows.read(Uint32Array.of(1), new Uint8Array(1))).subarray(0, 2)]).toEqual([
      Math.fround(-0.68),
      Math.fround(-0.67),
    ]);
    const mean = await data.mean();
    expect(mean[3]).toBeCloseTo(-1 + (3 + 2.5 * elements) / 100, 6);

    const directory = join(folder, 'run');
    const { outcome } = await trained(directory, settings);
    expect(outcome.imagesSeen).toBe(settings.training.images);
    const arrays = join(folder, 'samples.npz');
    await sampled(directory, { arraysPath: arrays, seeds: [4, 5], labels: [2, 0] });
    expect(readNpz(readFileSync(arrays)).get('samples')!.shape).toEqual([2, ...shape]);
  });

  it('are refused in another shape, or with labels that are no classes', async () => {
    await expect(opened(config(file('b.npz', [count, 2, 2, 8])))).rejects.toThrow(
      /\[count, 2, 4, 4\]; got float32 \[6, 2, 2, 8\]/,
    );
    await expect(opened(config(file('c.npz', undefined, [0, 1, 2, 3, 0, 1])))).rejects.toThrow(
      /labels from 0 to 2, as `data.classes` says; got 3/,
    );
  });
});

describe('latents without a file', () => {
  it('say what a network is for, and are no data to train on', async () => {
    const data = await opened(config(null));
    expect(data).toMatchObject({ shape: [...shape], classes: ['0', '1', '2'], count: 0 });
    expect(await data.heldOut(10)).toBeNull();
    expect(() => data.open(0)).toThrow(/`data.source` to be an .npz file with latents.*--set data.source=/s);
    await expect(trained(join(folder, 'none'), config(null))).rejects.toThrow(/`data.source` to be an .npz file/);
  });

  it('are no vectors, which only an MLP takes', () => {
    const vectors = { kind: 'vectors', source: 'two-moons' } as const;
    expect(() => parseConfig({ ...config(null), data: vectors }, 'test')).toThrow(/`model.kind` to be mlp/);
  });
});
