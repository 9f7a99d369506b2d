import { expect, it } from 'vitest';
import { dryRunPresets, laptopPresets, paperScalePresets } from '../../scripts/paper-scale-presets.ts';
import { allPresets } from '../../src/experiments/presets/table.ts';
import { readConfig } from '../../src/experiments/read-config.ts';

it('every preset is either at paper scale, with data made up for it, or for a laptop', () => {
  const listed = [...Object.keys(paperScalePresets), ...dryRunPresets, ...laptopPresets];
  expect(listed.sort()).toEqual(Object.keys(allPresets).sort());
});

it.each(Object.entries(paperScalePresets))('%s is given images only where it learns from images', (name, { side }) => {
  expect(readConfig(name).data.kind).toBe(side === null ? 'latents' : 'images');
});
