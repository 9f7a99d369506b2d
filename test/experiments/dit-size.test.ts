import { describe, expect, it } from 'vitest';
import { buildModel } from '../../src/experiments/build.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { parameterCount } from '../../src/models/parameters.ts';

/** Millions of parameters of the transformer that a config of these settings describes, on 32 x 32 x 4 latents of 1,000 classes. */
function millions(...set: string[]): number {
  const own = ['model.width=null', 'model.depth=null', 'model.heads=null'];
  const { model } = readConfig('fashion-dit', { set: [...own, ...set] });
  return parameterCount(buildModel(model, { shape: [4, 32, 32], classes: 1000 }).parameters) / 1e6;
}

describe('the size of a transformer in a config', () => {
  // [peebles:23], table 1 and section 4: 33, 130, 458 and 675 million at patch 2.
  it.each([
    ['S', 33],
    ['B', 130],
    ['L', 458],
    ['XL', 675],
  ])('%s has the published number of parameters at patch 2', (size, published) => {
    expect(Math.abs(millions(`model.size=${size}`, 'model.patch=2') - published)).toBeLessThan(0.6);
  });

  it.each([4, 8])('goes with patch %i', (patch) => {
    expect(millions('model.size=S', `model.patch=${patch}`)).toBeGreaterThan(32);
  });

  it('gives way to a depth, width or heads of the config', () => {
    expect(millions('model.size=XL', 'model.patch=2', 'model.depth=12', 'model.width=384', 'model.heads=6')).toBe(
      millions('model.size=S', 'model.patch=2'),
    );
  });

  it('is checked with what replaces its parts', () => {
    expect(() => millions('model.size=B', 'model.heads=7')).toThrow('a multiple of `model.heads` = 7; got 768');
  });
});
