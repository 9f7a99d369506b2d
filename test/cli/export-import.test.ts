import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ExportRequest } from '../../src/experiments/export-request.ts';
import type { ImportRequest } from '../../src/experiments/import-request.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { fakeRunner, runCommand } from './run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-export-cli-'));
writeFileSync(join(folder, 'config.json'), JSON.stringify(readConfig('fashion-unet')));
afterAll(() => rmSync(folder, { recursive: true }));

async function command(...args: string[]) {
  const exports: ExportRequest[] = [];
  const imports: ImportRequest[] = [];
  const { runner } = fakeRunner(() => Promise.reject(new Error('no training')));
  const result = await runCommand(args, {
    runner: {
      ...runner,
      async exportRun(request) {
        exports.push(request);
        return { paths: ['a.onnx'], batch: request.batch, parameterCount: 1234, evaluations: 80 };
      },
      async importRun(request) {
        imports.push(request);
        const tensors = [
          { name: 'w', dtype: 'F16', shape: [2, 3], paths: ['a.weight', 'b.weight'] },
          { name: 'x', dtype: 'F32', shape: [1], paths: [] },
        ];
        return { directory: 'r', checkpoint: 'c', parameterCount: 12, tensors, missing: ['c.bias'] };
      },
    },
  });
  return { ...result, exported: exports[0], imported: imports[0] };
}

describe('export', () => {
  it('writes for any number of samples into the run, by its settings', async () => {
    const { status, exported, lines } = await command('export', folder);
    expect(status).toBe(0);
    const { sampling } = readConfig('fashion-unet');
    expect(exported).toMatchObject({ model: folder, folder: join(folder, 'export'), sampling, provider: 'cpu' });
    expect(exported).toMatchObject({ batch: null, ema: true, unrolled: false, weights: 'onnx', names: 'own' });
    expect(lines).toEqual(['1,234 parameters; any number of samples a call, 80 evaluations each', 'a.onnx']);
  });

  it('takes the settings of sampling, a folder and a batch', async () => {
    const flags = ['--solver', 'heun', '--steps', '9', '--guidance', '2', '--batch', '3', '--out', 'o', '--no-ema'];
    const { exported } = await command('export', folder, ...flags);
    expect(exported).toMatchObject({ folder: 'o', batch: 3, ema: false });
    expect(exported!.sampling).toMatchObject({ guidance: 2, solver: { kind: 'heun', steps: 9 } });
  });

  it('writes weights under the names that are asked for', async () => {
    const flags = ['--weights', 'safetensors', '--names', 'published', '--attention-rows', 'kind'];
    const { exported } = await command('export', folder, ...flags);
    expect(exported).toMatchObject({ weights: 'safetensors', names: 'published', attentionRows: 'kind' });
  });

  it('writes steps out for webgpu', async () => {
    expect((await command('export', folder, '--provider', 'webgpu')).exported).toMatchObject({ unrolled: true });
    expect((await command('export', folder, '--unroll')).exported).toMatchObject({ unrolled: true, provider: 'cpu' });
  });

  it.each([
    [['export', 'closed-form:fashion'], 'Expected a trained run, to export its network'],
    [['export', folder, '--weights', 'pickle'], "argument 'pickle' is invalid"],
    [['export', folder, '--batch', '0'], 'Expected an integer of at least 1.'],
  ])('refuses %j', async (args, message) => {
    const { status, errors } = await command(...args);
    expect(errors).toContain(message);
    expect(status).toBe(2);
  });
});

describe('import', () => {
  it('prints what became of each tensor', async () => {
    const args = ['import', 'w.safetensors', '--as', 'fashion-dit', '--set', 'model.depth=2', '--run', 'r'];
    const { status, imported, lines } = await command(...args);
    expect(status).toBe(0);
    expect(imported).toMatchObject({ file: 'w.safetensors', directory: 'r', names: 'own', lenient: false });
    expect(imported!.attentionRows).toBe('head');
    expect(imported!.config.model).toMatchObject({ kind: 'dit', depth: 2 });
    expect(lines).toEqual([
      'w F16 [2, 3] -> a.weight, b.weight',
      'x F32 [1] -> (left out)',
      '(missing) -> c.bias',
      '12 parameters in r',
    ]);
  });

  it('wants to know the model', async () => {
    const { status, errors } = await command('import', 'w.safetensors');
    expect(status).toBe(2);
    expect(errors).toContain("required option '--as <preset or config>'");
  });
});
