import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mulberry32, mulberry32Array } from '../../src/numerics/mulberry32.ts';

const goldens = JSON.parse(readFileSync(new URL('../../assets/golden/goldens.json', import.meta.url), 'utf8')) as {
  readonly mulberry32_seed1_first5: readonly number[]; // the golden file's own layout
};

it('mulberry32 gives the golden numbers bit by bit', () => {
  expect(Array.from(mulberry32Array(1, 5))).toEqual(goldens.mulberry32_seed1_first5);
});

it('mulberry32 stays in [0, 1) and starts again from the same seed', () => {
  const first = mulberry32(0xdeadbeef);
  const again = mulberry32(0xdeadbeef);
  for (let i = 0; i < 1000; i++) {
    const u = first();
    expect(u).toBe(again());
    expect(u).toBeGreaterThanOrEqual(0);
    expect(u).toBeLessThan(1);
  }
});
