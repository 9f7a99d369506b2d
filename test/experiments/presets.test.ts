import { expect, it } from 'vitest';
import { laptopPresets, paperScalePresets } from '../../scripts/paper-scale-presets.ts';
import { allPresets } from '../../src/experiments/presets/table.ts';
import { readAnyConfig } from '../../src/experiments/read-config.ts';

it('every preset is either at paper scale, with data made up for it, or for a laptop', () => {
  const listed = [...Object.keys(paperScalePresets), ...laptopPresets];
  expect(listed.sort()).toEqual(Object.keys(allPresets).sort());
});

it.each(Object.entries(paperScalePresets))('%s is given images only where it learns from images', (name, { side }) => {
  const config = readAnyConfig(name);
  const { data } = 'stages' in config ? config.stages.flow : config;
  expect(data.kind).toBe(side === null ? 'latents' : 'images');
});
