import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAnyConfig } from '../../src/experiments/any-config.ts';
import { autoencoderJsonSchema, parseAutoencoderConfig } from '../../src/experiments/autoencoder-config.ts';
import { buildAutoencoder } from '../../src/experiments/build.ts';
import { autoencoderPresets, presets } from '../../src/experiments/presets/table.ts';

const root = join(import.meta.dirname, '../..');

const small = {
  name: 'small',
  data: { kind: 'images', source: 'portraits' },
  autoencoder: { kind: 'vq', size: 64 },
  training: { images: 1000 },
};

describe('the config of an autoencoder', () => {
  it('defaults to the network and the clipping of the paper', () => {
    const { autoencoder, loss, training } = parseAutoencoderConfig(small, 'small');
    expect(autoencoder).toEqual({
      kind: 'vq',
      size: 64,
      colors: 3,
      channels: 128,
      multipliers: [1, 2, 4, 4],
      blocks: 2,
      attentionResolutions: [],
      groups: 32,
      latentChannels: 4,
      codes: 8192,
      commitment: 0.25,
      revival: null,
    });
    expect(loss).toEqual({ pixel: 'l1', perceptual: null, adversarial: null });
    expect(training.clip).toBe(2);
  });

  it('is told apart from that of a flow by its section', () => {
    expect(parseAnyConfig(small, 'small')).toHaveProperty('autoencoder');
    expect(parseAnyConfig(presets['fashion-unet'], 'fashion-unet')).toHaveProperty('model');
  });

  it('names all faults of its sections among each other', () => {
    const faulty = {
      ...small,
      data: { ...small.data, size: 32 },
      autoencoder: { kind: 'kl', size: 60, channels: 48, attentionResolutions: [7] },
    };
    expect(() => parseAutoencoderConfig(faulty, 'faulty')).toThrow(`The config faulty has 4 faults:
  Expected \`autoencoder.size\` to be a multiple of 8, for 4 levels; got 60.
  Expected \`autoencoder.channels\` to be a multiple of \`autoencoder.groups\` = 32; got 48.
  Expected \`autoencoder.attentionResolutions\` to be sides of maps, 60, 30, 15, 7.5; got [7].
  Expected \`data.size\` to be \`autoencoder.size\` = 60; got 32.`);
  });

  it('trains in float32, and says why not otherwise', () => {
    const mixed = { ...small, training: { ...small.training, precision: 'mixed' }, runtime: { provider: 'cuda' } };
    expect(() => parseAutoencoderConfig(mixed, 'mixed')).toThrow(
      /several losses that weigh each other, .*expected `training.precision` to be float32; got mixed/,
    );
  });

  it('has the JSON Schema schema/autoencoder.schema.json (scripts/write-schema.ts writes it)', () => {
    const written: unknown = JSON.parse(readFileSync(join(root, 'schema/autoencoder.schema.json'), 'utf8'));
    expect(written).toEqual(autoencoderJsonSchema());
  });
});

describe('the presets of autoencoders', () => {
  it('are sound, and have the latents that they promise', () => {
    for (const [name, preset] of Object.entries(autoencoderPresets)) {
      const { autoencoder, name: own } = parseAutoencoderConfig(preset, name);
      expect(own).toBe(name);
      const side = name === 'portraits-vq' ? 16 : 32;
      expect(buildAutoencoder(autoencoder).latents.shape).toEqual([4, side, side]);
    }
  });

  it.each(['celeba-hq-vq', 'ffhq-vq', 'imagenet-vq'])('%s trains as the paper says [briq:26], C.1', (name) => {
    const { autoencoder, loss, training } = parseAutoencoderConfig(autoencoderPresets[name], name);
    const update = training.batchSize * training.accumulate;
    expect(update).toBe(64);
    expect(training.images / update).toBe(100_000);
    expect(loss.adversarial!.startImages / update).toBe(5_000);
    expect(training).toMatchObject({
      clip: 2,
      optimizer: { kind: 'adam', learningRate: 1e-4, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 },
      schedule: { kind: 'constant', warmupImages: 0 },
      ema: { kind: 'decay', decay: 0.999 },
    });
    expect(autoencoder).toMatchObject({
      size: 256,
      channels: 128,
      multipliers: [1, 2, 4, 4],
      codes: 8192,
      commitment: 0.25,
    });
  });
});
