import { z } from 'zod';
import { efmCorrection } from '../../../closed-form/efm-target.ts';
import { mulberry32Array } from '../../../numerics/mulberry32.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z
  .array(
    z.object({
      seed_x1: z.number(),
      x1_rule: z.literal('4u-2'),
      seed_x0: z.number(),
      x0_rule: z.literal('2u-1'),
      t: z.number(),
      bank: z.literal('[x1]+first M rows of closed_form data'),
      M: z.int().min(0).max(40),
      v: z.array(z.number()).length(3),
      lam_x1: z.number(),
    }),
  )
  .min(1);

/** The data of section `closed_form`, of which banks take the first rows: 40 points in 3 dimensions, 4u - 2. */
const [dataSeed, dataCount] = [61, 40];

/** The target of empirical flow matching and the weight of x1, beside 0, 7 and 39 other data; to 1e-12. */
export const replayEfm: Replayer = (section, tally) => {
  for (const { seed_x1, seed_x0, t, M, v, lam_x1 } of sectionSchema.parse(section)) {
    const elements = v.length;
    const pair = {
      source: mulberry32Array(seed_x0, elements).map((u) => 2 * u - 1),
      target: mulberry32Array(seed_x1, elements).map((u) => 4 * u - 2),
      time: t,
    };
    const candidates = {
      values: mulberry32Array(dataSeed, dataCount * elements).map((u) => 4 * u - 2),
      rows: Uint32Array.from({ length: M }, (_, row) => row),
    };
    const { correction, weights } = efmCorrection(pair, candidates);
    const tolerance = 1e-12;
    for (const [k, expected] of v.entries()) {
      const got = pair.target[k]! - pair.source[k]! + correction[k]!;
      tally.compare(`${M} others, coordinate ${k}`, { got, expected, tolerance });
    }
    tally.compare(`${M} others, weight of x1`, { got: weights.target, expected: lam_x1, tolerance });
  }
};
