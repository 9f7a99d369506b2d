import { z } from 'zod';
import { mulberry32 } from '../../../numerics/mulberry32.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.array(z.number()).min(1);

/** The first numbers of the generator from seed 1, exactly. */
export const replayMulberry32: Replayer = (section, tally) => {
  const next = mulberry32(1);
  for (const [i, expected] of sectionSchema.parse(section).entries()) {
    tally.compare(`number ${i}`, { got: next(), expected, tolerance: 0 });
  }
};
