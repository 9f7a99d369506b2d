import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import {
  cosineGrid,
  explicitGrid,
  reversedGrid,
  rhoGrid,
  shiftedGrid,
  uniformGrid,
} from '../../src/sampling/time-grid.ts';

const goldens = JSON.parse(readFileSync(new URL('../../assets/golden/goldens.json', import.meta.url), 'utf8')) as {
  readonly edm_sigmas_N18: readonly number[]; // the golden file's own layout
};

const GRIDS = [
  { name: 'uniform', make: uniformGrid },
  { name: 'rho', make: (steps: number) => rhoGrid(steps) },
  { name: 'cosine', make: cosineGrid },
  { name: 'shifted by 3', make: (steps: number) => shiftedGrid(steps, 3) },
  { name: 'shifted by 1/3', make: (steps: number) => shiftedGrid(steps, 1 / 3) },
];

describe.each(GRIDS)('the $name grid', ({ make }) => {
  it.each([1, 2, 3, 10, 18, 250])('of %i steps goes from 0 to 1 exactly, strictly increasing', (steps) => {
    const grid = make(steps);
    expect(grid).toHaveLength(steps + 1);
    expect([grid[0], grid[steps]]).toEqual([0, 1]);
    for (let i = 1; i <= steps; i++) expect(grid[i]!).toBeGreaterThan(grid[i - 1]!);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses %d steps', (steps) => {
    expect(() => make(steps)).toThrow(ConfigError);
  });
});

describe('time grids', () => {
  it('rho has the noise levels of EDM between its ends', () => {
    const sigmas = Array.from(rhoGrid(18).subarray(1, 18), (time) => (1 - time) / time);
    for (const [i, sigma] of sigmas.entries()) {
      expect(Math.abs(sigma / goldens.edm_sigmas_N18[i + 1]! - 1)).toBeLessThan(1e-12);
    }
  });

  it('cosine has short steps at both ends', () => {
    const grid = cosineGrid(4);
    const expected = [0, (1 - Math.SQRT1_2) / 2, 0.5, (1 + Math.SQRT1_2) / 2, 1];
    for (const [i, time] of expected.entries()) expect(grid[i]).toBeCloseTo(time, 14);
  });

  it('shifted moves times towards noise above 1, towards data below, and is uniform at 1', () => {
    for (const [i, time] of uniformGrid(10).entries()) expect(shiftedGrid(10, 1)[i]).toBeCloseTo(time, 14);
    expect(shiftedGrid(2, 3)[1]).toBeCloseTo(0.25, 14);
    expect(shiftedGrid(2, 1 / 3)[1]).toBeCloseTo(0.75, 14);
    expect(() => shiftedGrid(2, 0)).toThrow('`shift` to be positive');
  });

  it('explicit takes a part of the interval and names what is wrong', () => {
    expect(explicitGrid([0.2, 0.5, 0.9])).toEqual(Float64Array.of(0.2, 0.5, 0.9));
    expect(() => explicitGrid([0, 0.5, 0.5, 1])).toThrow('strictly increasing; got 0.5, 0.5 at index 1');
    expect(() => explicitGrid([0, Number.NaN])).toThrow(ConfigError);
    expect(() => explicitGrid([0.5])).toThrow('at least two times');
    expect(() => explicitGrid([0, 1.5])).toThrow('in [0, 1]');
    expect(reversedGrid(explicitGrid([0, 0.5, 1]))).toEqual(Float64Array.of(1, 0.5, 0));
  });

  it('rho refuses noise levels out of order', () => {
    expect(() => rhoGrid(5, { sigmaMin: 2, sigmaMax: 1 })).toThrow(ConfigError);
  });
});
