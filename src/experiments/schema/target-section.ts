/** Config section `target`: the velocity that the model is trained to give at a point of the path. */
import { z } from 'zod';

const count = z.int().min(1);

// [bertrand:25], algorithm 1.
const efm = z.strictObject({
  kind: z
    .literal('efm')
    .describe(
      'Empirical flow matching: the mean of the velocities to the datum and to other data, weighed as all data would be.',
    ),
  candidates: count
    .default(256)
    .describe(
      "Data that the mean is of, the datum itself among them; 1 is kind conditional. For a shared bank: data in it besides the batch's own.",
    ),
  bank: z
    .enum(['per-sample', 'shared'])
    .default('per-sample')
    .describe(
      "Whether each datum has others drawn for itself, or a batch shares one draw and its own data ('shared'): candidates + batch in all.",
    ),
  memoryBytes: count
    .default(4 * 2 ** 30)
    .describe(
      'Memory that the latents of the whole set may take, mirrored ones included (bytes); sets that take more are read batch by batch.',
    ),
});

/** Section `target`. */
export const targetSection = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('conditional').describe('The velocity from the noise to the datum that the point was made of.'),
    }),
    efm,
  ])
  .prefault({ kind: 'conditional' })
  .describe('The velocity that the model is trained to give.');
