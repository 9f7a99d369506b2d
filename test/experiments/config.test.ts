import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configJsonSchema, parseConfig } from '../../src/experiments/config.ts';
import { presets } from '../../src/experiments/presets/table.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { root } from '../source-tree.ts';

const smallest = {
  name: 'a',
  data: { kind: 'vectors', source: 'two-moons' },
  model: { kind: 'mlp' },
  training: { images: 100 },
};

/** The message of the error that `f` throws, line by line. */
function faultsOf(f: () => unknown): string[] {
  try {
    f();
  } catch (error) {
    expect(error).toMatchObject({ name: 'ConfigError', exitStatus: 2 });
    return (error as Error).message.split('\n').map((line) => line.trim());
  }
  return [];
}

describe('steps in place', () => {
  it('are none for WebGPU', () => {
    const config = readConfig('fashion-unet', { set: ['training.inPlace=true'] });
    expect(config.training.inPlace).toBe(true);
    expect(() => readConfig('fashion-unet', { set: ['training.inPlace=true', 'runtime.provider=webgpu'] })).toThrow(
      /`training.inPlace` to be false with `runtime.provider` webgpu/,
    );
  });
});

describe('a config', () => {
  it('needs few fields, and is complete after parsing', () => {
    const config = parseConfig(smallest, 'test');
    expect(config.training.optimizer).toEqual({
      kind: 'adam',
      learningRate: 2e-4,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0,
    });
    expect(config.sampling.solver).toEqual({ kind: 'midpoint', steps: 20, grid: { kind: 'uniform' } });
    expect(config.runtime).toEqual({ provider: 'cpu', threads: null, spinning: true });
  });

  it('is a fixed point: parsing a complete config changes nothing', () => {
    for (const name of Object.keys(presets)) {
      const config = readConfig(name);
      expect(parseConfig(JSON.parse(JSON.stringify(config)), name)).toEqual(config);
    }
  });

  it('reports all faults at once, by path, with what is allowed and what was found', () => {
    const value = {
      ...smallest,
      name: '../a',
      data: { kind: 'images', source: 'fashion', channels: 2, heldOut: 'x' },
      model: { kind: 'unett' },
      training: { batchSize: 0, optimizer: { kind: 'adam', betas: [0.9], weightDecay: -1 } },
    };
    expect(faultsOf(() => parseConfig(value, 'a.yaml'))).toEqual([
      'The config a.yaml has 8 faults:',
      'Expected `name` to be a text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$; got "../a".',
      'Expected `data.channels` to be one of 1, 3 or null; got 2.',
      'Expected `data.heldOut` to be a number above 0 and below 1 or null; got "x".',
      'Expected `model.kind` to be one of mlp, unet, song-unet, dit; got "unett". Did you mean unet?',
      'Expected `training.images` to be an integer of at least 1; got nothing.',
      'Expected `training.batchSize` to be an integer of at least 1 and of at most 65536; got 0.',
      'Expected `training.optimizer.betas` to be a list of 2; got [0.9].',
      'Expected `training.optimizer.weightDecay` to be a number of at least 0; got -1.',
    ]);
  });

  it('refuses unknown keys and suggests the nearest known one', () => {
    const value = { ...smallest, trainig: {}, model: { kind: 'mlp', hiden: [3], attention: [1] } };
    expect(faultsOf(() => parseConfig(value, 'a.yaml'))).toEqual([
      'The config a.yaml has 3 faults:',
      'Expected only known keys; got `model.hiden`. Did you mean `hidden`?',
      'Expected only known keys; got `model.attention`. Known there: kind, labels, hidden, activation, timeFeatures, timeScale, labelFeatures.',
      'Expected only known keys; got `trainig`. Did you mean `training`?',
    ]);
  });

  it('refuses sections that do not go together', () => {
    const set = ['data.kind=vectors', 'data.source=two-moons', 'model.attention=[3]', 'model.labels=false'];
    expect(faultsOf(() => readConfig('fashion-unet', { set }))).toEqual([
      'The config fashion-unet has 3 faults:',
      'Expected `model.kind` to be mlp for `data.kind` vectors; got unet.',
      'Expected `model.attention` to name levels below 3, the length of `model.channels`; got [3].',
      '`sampling.guidance` needs a model with labels: expected `model.labels` to be true; got false. Try `sampling.guidance` null.',
    ]);
  });

  it('refuses mixed precision on a processor, and says why; graphics processors may have it', () => {
    const mixed = 'training.precision=mixed';
    expect(readConfig('fashion-unet').training.precision).toBe('float32');
    expect(faultsOf(() => readConfig('fashion-unet', { set: [mixed] }))).toEqual([
      'The config fashion-unet has a fault:',
      '`training.precision` mixed needs float16 kernels, which provider cpu has not: steps would be slower and less exact. Expected `runtime.provider` to be webgpu or cuda; got cpu. Try `training.precision` float32.',
    ]);
    const inPlace = { set: [mixed, 'runtime.provider=cuda', 'training.inPlace=true'] };
    expect(faultsOf(() => readConfig('fashion-unet', inPlace))[1]).toMatch(
      /leaves no state to go back to: expected `training.inPlace` to be false; got true/,
    );
    for (const provider of ['webgpu', 'cuda']) {
      const config = readConfig('fashion-unet', { set: [mixed, `runtime.provider=${provider}`] });
      expect(config.training.precision).toBe('mixed');
    }
  });

  it('that is no record is refused with a sentence', () => {
    for (const value of [null, 3, 'x', []]) {
      expect(faultsOf(() => parseConfig(value, 'a.yaml'))[1]).toMatch(/^Expected the config to be a section; got /);
    }
  });
});

describe('the JSON Schema for editors', () => {
  const schema = configJsonSchema();

  it('is the file schema/config.schema.json (scripts/write-schema.ts writes it)', () => {
    expect(JSON.parse(readFileSync(join(root, 'schema/config.schema.json'), 'utf8'))).toEqual(schema);
  });

  it('documents every field', () => {
    const undocumented: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties } = node as { properties?: Record<string, { description?: string; const?: unknown }> };
      for (const [key, child] of Object.entries(properties ?? {})) {
        if (child.description === undefined && child.const === undefined) undocumented.push(`${path}.${key}`);
      }
      for (const [key, child] of Object.entries(node)) visit(child, `${path}.${key}`);
    };
    visit(schema, '');
    expect(undocumented).toEqual([]);
  });
});
