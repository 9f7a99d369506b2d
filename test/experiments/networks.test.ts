import { describe, expect, it } from 'vitest';
import { elementCount } from '../../src/engine/shape.ts';
import { buildCheckpointMap, buildModel } from '../../src/experiments/build.ts';
import { networkSize } from '../../src/experiments/doctor/model-size.ts';
import { type NamedNetwork, networkNamed, networks } from '../../src/experiments/networks.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { modelSection } from '../../src/experiments/schema/model-section.ts';
import { ownPaths } from '../../src/models/checkpoint-map.ts';
import { flattenParameters } from '../../src/models/parameters.ts';

const head = { attentionRows: 'head', nullLabel: false } as const;

function sizeOf(name: string, changes: Partial<NamedNetwork> = {}) {
  const network = { ...networkNamed(name)!, ...changes };
  return networkSize(modelSection.parse(network.model), network);
}

describe('a network of a paper', () => {
  // [peebles:23], table 4: parameters in millions, and "Gflops", which are 10^9 multiply-adds of one evaluation.
  it.each([
    ['DiT-S/2', 33, 6.06],
    ['DiT-S/4', 33, 1.41],
    ['DiT-S/8', 33, 0.36],
    ['DiT-B/2', 130, 23.01],
    ['DiT-B/4', 130, 5.56],
    ['DiT-B/8', 131, 1.42],
    ['DiT-L/2', 458, 80.71],
    ['DiT-L/4', 458, 19.7],
    ['DiT-L/8', 459, 5.01],
    ['DiT-XL/2', 675, 118.64],
    ['DiT-XL/4', 675, 29.05],
    ['DiT-XL/8', 676, 7.39],
  ])('%s has the published %d M parameters and %d Gflops', (name, millions, gigas) => {
    const size = sizeOf(name);
    expect(size.name).toBe(name);
    expect(Math.abs(size.parameters / 1e6 - millions)).toBeLessThan(0.5);
    expect(Math.abs(size.multiplyAdds / 1e9 - gigas)).toBeLessThan(0.005 + 0.0005 * gigas);
  });

  it('DiT-XL/2 has the published 524.6 Gflops on the latents of 512 x 512 pixels', () => {
    expect(sizeOf('DiT-XL/2', { shape: [4, 64, 64] }).multiplyAdds / 1e9).toBeCloseTo(524.6, 0);
  });

  it('DiT-XL/2 with 24 blocks has the parameters of 28 less those of 4', () => {
    const { model } = networks['DiT-XL/2'];
    const block = 18 * 1152 ** 2 + 15 * 1152; // products of attention, MLP and modulation; biases 3 + 1 + 4 + 1 + 6
    const less = sizeOf('DiT-XL/2', { model: { ...model, depth: 24 } as typeof model });
    expect(less.parameters).toBe(sizeOf('DiT-XL/2').parameters - 4 * block);
  });

  // Of the U-Nets: CIFAR-10's of [tong:24], which that of [davtyan:25] repeats, has 35.7 M; [karras:22], table 8, has 56, 62 and 296 M.
  it.each([
    ['ADM-cifar10', 35.746],
    ['ADM-imagenet64-guided', 295.9],
    ['DDPM++-cifar10', 55.733],
    ['DDPM++-afhq64', 61.8],
  ])('%s has the published %d M parameters', (name, millions) => {
    expect(sizeOf(name).parameters / 1e6).toBeCloseTo(millions, millions > 60 ? 1 : 3);
  });

  it.each(Object.entries(networks))('%s gives every parameter to one tensor of a published checkpoint', (name) => {
    const network = networkNamed(name)!;
    const model = buildModel(network.model, network);
    const external = [...buildCheckpointMap(network.model, model, head).toExternal(model.parameters).values()];
    const paths = flattenParameters(model.parameters).map(([path]) => path);
    expect(external.flatMap(ownPaths).sort()).toEqual(paths.sort());
    const counts = external.map(({ layout, shape }) => (layout === 'fixed' ? 0 : elementCount(shape)));
    const nullLabel = name === 'ADM-imagenet64-guided' ? 4 * 192 : 0; // which its published checkpoint lacks
    expect(counts.reduce((sum, count) => sum + count, nullLabel)).toBe(sizeOf(name).parameters);
  });

  it.each([
    ['cifar10-unet', 'ADM-cifar10'],
    ['imagenet32-loom', 'ADM-imagenet32'],
    ['imagenet64-loom', 'ADM-imagenet64'],
    ['ffhq256-loom', 'ADM-ffhq256'],
    ['dit-s-2', 'DiT-S/2'],
    ['dit-xl-2', 'DiT-XL/2'],
  ])('is that of the preset %s, whose time is not scaled', (preset, name) => {
    expect(readConfig(preset).model).toEqual({ ...networkNamed(name)!.model, timeScale: 1 });
  });

  it.each([
    ['cifar10-ddpmpp', 'DDPM++-cifar10'],
    ['afhq64-ddpmpp', 'DDPM++-afhq64'],
    ['imagenet64-adm', 'ADM-imagenet64-guided'],
  ] as const)('is that of the preset %s', (preset, name) => {
    expect(readConfig(preset).model).toEqual(networkNamed(name)!.model);
  });

  it.each([
    ['latent-unet-s', 'DiT-S/2'],
    ['latent-unet-b', 'DiT-B/2'],
  ])('%s has the parameters and operations of %s within a tenth', (preset, transformer) => {
    const unet = networkSize(readConfig(preset).model, { shape: [4, 32, 32], classes: null });
    const { parameters, multiplyAdds } = sizeOf(transformer);
    expect(Math.abs(unet.parameters / parameters - 1)).toBeLessThan(0.1);
    expect(Math.abs(unet.multiplyAdds / multiplyAdds - 1)).toBeLessThan(0.1);
  });

  it('has no published names where its config departs from the published form', () => {
    const model = modelSection.parse({ kind: 'mlp' });
    expect(() => buildCheckpointMap(model, buildModel(model, { shape: [2], classes: null }), head)).toThrow(
      /`model.kind` to be unet, song-unet or dit/,
    );
    const { model: small } = readConfig('fashion-unet');
    expect(() => buildCheckpointMap(small, buildModel(small, { shape: [1, 28, 28], classes: 10 }), head)).toThrow(
      /`skips` all, `middle`, `patch` 1/,
    );
  });
});
