import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportRequest } from '../../src/experiments/export-request.ts';
import { exportRun } from '../../src/experiments/export-run.ts';
import type { ImportRequest } from '../../src/experiments/import-request.ts';
import { importRun } from '../../src/experiments/import-run.ts';
import { readParameters } from '../../src/experiments/run-parameters.ts';
import { openTrainedRun } from '../../src/experiments/trained-run.ts';
import {
  readSafetensors,
  type SafetensorsTensor,
  safetensor,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-import-'));
const run = join(folder, 'run');
const config = smallConfig('points');
let tensors: ReadonlyMap<string, SafetensorsTensor>;
let weights: string;

beforeAll(async () => {
  await trained(run, config);
  const { sampling } = config;
  weights = await exportedWeights(run, { sampling });
  tensors = readSafetensors(readFileSync(weights)).tensors;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** The file of a run's weights. */
async function exportedWeights(model: string, change: Pick<ExportRequest, 'sampling'> & Partial<ExportRequest>) {
  const target = mkdtempSync(join(folder, 'weights-'));
  const outcome = await exportRun({
    model,
    folder: target,
    names: 'own',
    attentionRows: 'head',
    provider: 'cpu',
    batch: null,
    ema: true,
    unrolled: false,
    fusedAttention: false,
    weights: 'safetensors',
    ...change,
  });
  return outcome.paths[0]!;
}

function imported(change: Partial<ImportRequest> = {}) {
  const directory = join(mkdtempSync(join(folder, 'imported-')), 'new');
  return importRun({
    file: weights,
    config,
    directory,
    names: 'own',
    attentionRows: 'head',
    lenient: false,
    ...change,
  });
}

/** A file with other tensors than the run's. */
function changed(change: (tensors: Map<string, SafetensorsTensor>) => void): string {
  return changedFile(weights, change);
}

function changedFile(file: string, change: (tensors: Map<string, SafetensorsTensor>) => void): string {
  const copy = new Map(readSafetensors(readFileSync(file)).tensors);
  change(copy);
  const path = join(mkdtempSync(join(folder, 'file-')), 'w.safetensors');
  writeFileSync(path, writeSafetensors(copy));
  return path;
}

async function parametersOf(directory: string) {
  return readParameters((await openTrainedRun(directory)).checkpoint, 'parameters');
}

describe('importRun', () => {
  it('brings exported weights back: the run makes the same samples to the bit', async () => {
    const outcome = await imported();
    expect(outcome.missing).toEqual([]);
    expect(outcome.tensors.map(({ name }) => name).sort()).toEqual([...tensors.keys()].sort());
    for (const { name, paths } of outcome.tensors) expect(paths).toEqual([name]);
    const [before, after] = [join(folder, 'before.npz'), join(folder, 'after.npz')];
    await sampled(run, { arraysPath: before });
    await sampled(outcome.directory, { arraysPath: after });
    expect(readFileSync(after).equals(readFileSync(before))).toBe(true);
  });

  it('reads bfloat16 and float16', async () => {
    const [name, { shape, data }] = [...tensors][0]! as [string, SafetensorsTensor & { data: Float32Array }];
    // 1.5 as bits of each format.
    for (const [dtype, bits] of [
      ['BF16', 0x3fc0],
      ['F16', 0x3e00],
    ] as const) {
      const half = { dtype, shape, data: new Uint16Array(data.length).fill(bits) } as const;
      const outcome = await imported({ file: changed((copy) => copy.set(name, half)) });
      expect((await parametersOf(outcome.directory))[name]!.every((value) => value === 1.5)).toBe(true);
    }
  });

  it('lists everything that is missing, extra, misshapen or of another dtype', async () => {
    const [first, second, third] = [...tensors.keys()] as [string, string, string];
    const file = changed((copy) => {
      copy.delete(first);
      copy.set(second, safetensor(new Float32Array(7)));
      copy.set(third, safetensor(new Int32Array(tensors.get(third)!.data.length), tensors.get(third)!.shape));
      copy.set('another', safetensor(Float32Array.of(1)));
    });
    const failure = await imported({ file }).catch((error: Error) => error);
    expect(String(failure)).toContain(`missing: \`${first}\``);
    expect(String(failure)).toContain(`misshapen: \`${second}\` is [7]`);
    expect(String(failure)).toContain(`no numbers with fractions: \`${third}\` is I32`);
    expect(String(failure)).toContain('extra: `another` [1]');
    const outcome = await imported({ file, lenient: true });
    expect([...outcome.missing].sort()).toEqual([first, second, third].sort());
    expect(outcome.tensors.find(({ name }) => name === 'another')!.paths).toEqual([]);
  });

  it('reads the names and layouts of published checkpoints', async () => {
    const model = { kind: 'dit', labels: true, patch: 14, width: 8, depth: 1, heads: 2, mlpRatio: 2 } as const;
    const small = smallConfig('pictures', { data: { kind: 'images', source: 'fashion' }, model });
    const failure = await imported({ config: small, names: 'published' }).catch((error: Error) => error);
    const missing = [...String(failure).matchAll(/missing: `(.*)` \[(.*)\]/g)];
    const numbers = missing.map(([, name, shape]) => {
      const sizes = shape!.split(',').map(Number);
      const count = sizes.reduce((product, size) => product * size, 1);
      return [
        name!,
        safetensor(
          Float32Array.from({ length: count }, (_, i) => i),
          sizes,
        ),
      ] as const;
    });
    const file = join(folder, 'dit.safetensors');
    writeFileSync(file, writeSafetensors(new Map(numbers)));
    const outcome = await imported({ file, config: small, names: 'published' });
    const joint = outcome.tensors.find(({ name }) => name === 'blocks.0.attn.qkv.weight')!;
    expect(joint.paths).toEqual(['query', 'key', 'value'].map((part) => `blocks.0.attention.${part}.weight`));
    const parameters = await parametersOf(outcome.directory);
    expect(parameters['blocks.0.attention.key.weight']![0]).toBe(64);
  });

  it.each([
    ['dit', { kind: 'dit', labels: true, patch: 16, width: 16, depth: 2, heads: 2 }],
    [
      'song-unet',
      { kind: 'song-unet', labels: true, channels: 8, multipliers: [1, 1], blocks: 1, attentionResolutions: [32] },
    ],
    ['unet', { kind: 'unet', labels: false, channels: [8, 8], blocks: 1, attention: [1], headChannels: 4, groups: 2 }],
  ] as const)('goes to published names of %s and back bit by bit, either way', async (name, model) => {
    const small = smallConfig('pictures', { model, sampling: { ...config.sampling, guidance: null } });
    const own = { directory: join(folder, name), names: 'own' } as const;
    await trained(own.directory, small);
    const published = { sampling: small.sampling, names: 'published', attentionRows: 'kind' } as const;
    const out = await exportedWeights(own.directory, { ...published, ema: false });
    const back = await imported({ config: small, file: out, names: 'published', attentionRows: 'kind' });
    expect(await parametersOf(back.directory)).toEqual(await parametersOf(own.directory));
    const again = await exportedWeights(back.directory, published);
    const [first, second] = [out, again].map((path) => readSafetensors(readFileSync(path)));
    expect(second!.tensors).toEqual(first!.tensors);
    expect(first!.metadata).toMatchObject({ names: 'published' });
  });

  it('has no row for a null label of zeros, as public checkpoints of ADM, and one for a null label that was learned', async () => {
    const model = {
      kind: 'unet',
      labels: true,
      channels: [8, 8],
      blocks: 1,
      attention: [],
      headChannels: 4,
      groups: 2,
    } as const;
    const small = smallConfig('pictures', { model });
    const [directory, path] = [join(folder, 'labelled'), 'condition.label.table'];
    await trained(directory, small);
    const table = (await parametersOf(directory))[path]!;
    const classes = table.length / 32 - 1;
    const written = { sampling: small.sampling, names: 'published', ema: false } as const;
    const rows = (file: string) => readSafetensors(readFileSync(file)).tensors.get('label_emb.weight')!.shape[0];

    const whole = await exportedWeights(directory, written);
    expect(rows(whole)).toBe(classes + 1);
    const back = await imported({ config: small, file: whole, names: 'published' });
    expect(await parametersOf(back.directory)).toEqual(await parametersOf(directory));

    const short = changedFile(whole, (tensors) => {
      tensors.set('label_emb.weight', safetensor(table.slice(0, classes * 32), [classes, 32]));
    });
    const { directory: unlabelled } = await imported({ config: small, file: short, names: 'published' });
    const zeros = Float32Array.from(table).fill(0, classes * 32);
    expect((await parametersOf(unlabelled))[path]).toEqual(zeros);
    const again = await exportedWeights(unlabelled, written);
    expect(readSafetensors(readFileSync(again)).tensors).toEqual(readSafetensors(readFileSync(short)).tensors);
  });

  it('refuses a folder that is not free', async () => {
    await expect(imported({ directory: run })).rejects.toThrow(/to be a new or empty folder/);
  });
});
