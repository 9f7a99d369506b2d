import { expect, it } from 'vitest';
import { laptopPresets, paperScalePresets } from '../../scripts/paper-scale-presets.ts';
import { presets } from '../../src/experiments/presets/table.ts';
import { readConfig } from '../../src/experiments/read-config.ts';

it('every preset is either at paper scale, with data made up for it, or for a laptop', () => {
  expect([...Object.keys(paperScalePresets), ...laptopPresets].sort()).toEqual(Object.keys(presets).sort());
});

it.each(Object.entries(paperScalePresets))('%s is given images only where it learns from images', (name, { side }) => {
  expect(readConfig(name).data.kind).toBe(side === null ? 'latents' : 'images');
});
