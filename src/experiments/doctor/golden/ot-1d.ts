import { z } from 'zod';
import { mulberry32Array } from '../../../numerics/mulberry32.ts';
import { sortedPairing, transport1d } from '../../../numerics/transport-1d.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.object({
  seed_x: z.int(),
  seed_y: z.int(),
  y_rule: z.literal('2u-1'),
  n: z.int().min(1),
  W1: z.number(),
  W2sq: z.number(),
});

/** Distances of two samples on the line, by pairing and by spreading mass; to 1e-12. */
export const replayOt1d: Replayer = (section, tally) => {
  const { seed_x, seed_y, n, W1, W2sq } = sectionSchema.parse(section);
  const x = mulberry32Array(seed_x, n);
  const y = mulberry32Array(seed_y, n).map((u) => 2 * u - 1);
  for (const [power, expected] of [
    [1, W1],
    [2, W2sq],
  ] as const) {
    const tolerance = 1e-12;
    tally.compare(`pairing, power ${power}`, { got: sortedPairing(x, y, { power }).cost, expected, tolerance });
    tally.compare(`plan, power ${power}`, { got: transport1d(x, y, { power }).cost, expected, tolerance });
  }
};
