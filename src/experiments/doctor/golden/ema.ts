import { z } from 'zod';
import { emaBiasCorrection, emaDecayFromHalfLife, emaWeight } from '../../../training/ema.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.object({ raw_k100: z.number(), edm_beta_batch512_halflife500k: z.number() });

/** The average of `updates` values of 1 that starts from 0. */
function averageOfOnes(decay: number, options: { readonly updates: number; readonly biasCorrected: boolean }): number {
  let average = 0;
  for (let update = 1; update <= options.updates; update++) {
    average += emaWeight({ decay, biasCorrected: options.biasCorrected }, update) * (1 - average);
  }
  return average;
}

/** The moving average of ones after 100 updates, plain and bias-corrected, and the decay from a half-life; to 1e-12. */
export const replayEma: Replayer = (section, tally) => {
  const { raw_k100, edm_beta_batch512_halflife500k } = sectionSchema.parse(section);
  const [decay, updates, tolerance] = [0.9999, 100, 1e-12];
  const plain = averageOfOnes(decay, { updates, biasCorrected: false });
  const corrected = averageOfOnes(decay, { updates, biasCorrected: true });
  tally.compare('sum of the weights', { got: emaBiasCorrection(decay, updates), expected: raw_k100, tolerance });
  tally.compare('plain average', { got: plain, expected: raw_k100, tolerance });
  tally.compare('bias-corrected average', { got: corrected, expected: 1, tolerance });
  const fromHalfLife = emaDecayFromHalfLife(512, 500_000);
  tally.compare('decay from half-life', { got: fromHalfLife, expected: edm_beta_batch512_halflife500k, tolerance });
};
