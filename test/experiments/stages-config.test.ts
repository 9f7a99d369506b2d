import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildAutoencoder, buildModel } from '../../src/experiments/build.ts';
import type { RunConfig } from '../../src/experiments/config.ts';
import { networkNamed } from '../../src/experiments/networks.ts';
import { stagesPresets } from '../../src/experiments/presets/table.ts';
import { readAnyConfig, readConfig } from '../../src/experiments/read-config.ts';
import {
  autoencoderOfStages,
  flowOfStages,
  parseStagesConfig,
  stagesJsonSchema,
} from '../../src/experiments/stages-config.ts';

import { parameterCount } from '../../src/models/parameters.ts';

const root = join(import.meta.dirname, '../..');

describe('the config of stages', () => {
  it.each(Object.keys(stagesPresets))('%s is complete, and made of a sound autoencoder and a sound flow', (name) => {
    const config = parseStagesConfig(stagesPresets[name], name);
    expect(readAnyConfig(name)).toEqual(config);
    const [autoencoder, flow] = [autoencoderOfStages(config), flowOfStages(config, 'run')];
    expect([autoencoder.name, flow.name]).toEqual([name, name]);
    expect(flow.latent).toMatchObject({
      kind: 'autoencoder',
      run: join('run', 'autoencoder'),
      cache: join('run', 'latents'),
    });
  });

  it('takes changes of any stage, and one seed for all', () => {
    const config = readAnyConfig('portraits-latent-dit', {
      set: ['stages.flow.training.images=6400', 'stages.autoencoder.training.images=3200', 'stages.metrics=null'],
      seed: 5,
    });
    expect(config).toMatchObject({
      seed: 5,
      stages: { flow: { training: { images: 6400 } }, autoencoder: { training: { images: 3200 } }, metrics: null },
    });
  });

  it('tells faults of a stage with its name, all at once', () => {
    const base = stagesPresets['portraits-latent-dit']!;
    const { autoencoder, flow } = base.stages;
    const stages = {
      ...base.stages,
      autoencoder: { ...autoencoder, autoencoder: { ...autoencoder.autoencoder, size: 63 } },
      flow: { ...flow, model: { kind: 'dit', labels: true, width: 10, heads: 3 } },
    };
    const parse = (value: unknown) => parseStagesConfig(value, 'mine');
    expect(() => parse({ ...base, stages })).toThrow(
      /In `stages.autoencoder`: Expected `autoencoder.size`[\s\S]*In `stages.flow`: /,
    );
    expect(() => parse({ ...base, stages: { ...base.stages, autoencoders: {} } })).toThrow('autoencoders');
  });

  it('is not the config of a flow', () => {
    expect(() => readConfig('portraits-latent-dit')).toThrow('that of stages');
  });
});

describe('the JSON Schema of stages', () => {
  it('is the file schema/stages.schema.json (scripts/write-schema.ts writes it)', () => {
    const written: unknown = JSON.parse(readFileSync(join(root, 'schema/stages.schema.json'), 'utf8'));
    expect(written).toEqual(stagesJsonSchema());
  });
});

describe('the presets of the latent flows of [briq:26], C.1', () => {
  it.each([
    ['celeba-hq-latent-dit', 'DiT-S/2', 140_000],
    ['ffhq-latent-dit', 'DiT-B/2', 150_000],
    ['imagenet-latent-dit', 'DiT-XL/2', 200_000],
  ] as const)('%s trains %s for %i updates of 128 latents', (name, network, updates) => {
    const { flow, autoencoder } = parseStagesConfig(stagesPresets[name], name).stages;
    const { images, batchSize, accumulate } = flow.training;
    expect(batchSize * accumulate).toBe(128);
    expect(images).toBe(updates * 128);
    const { shape } = buildAutoencoder(autoencoder.autoencoder).latents;
    expect(shape).toEqual([4, 32, 32]);
    const classes = flow.model.labels ? 1000 : null;
    const named = networkNamed(network)!;
    const wanted = buildModel({ ...named.model, labels: flow.model.labels, variances: false } as RunConfig['model'], {
      shape,
      classes,
    });
    expect(parameterCount(buildModel(flow.model, { shape, classes }).parameters)).toBe(
      parameterCount(wanted.parameters),
    );
  });
});
