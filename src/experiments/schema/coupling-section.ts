/** Config section `coupling`: which noise meets which datum. */
import { z } from 'zod';

const count = z.int().min(1);
const probability = z.number().min(0).max(1);

const cost = z
  .enum(['squared', 'l2'])
  .default('squared')
  .describe("Cost of a pair: the squared distance |x - z|², or the distance itself ('l2').");

const perClass = z
  .boolean()
  .default(false)
  .describe(
    'Whether noises are exchanged among data of the same label alone. A model with labels needs it: else the noise of a label is no longer normal.',
  );

const largeBatch = count
  .nullable()
  .default(null)
  .describe(
    'Images whose noises are exchanged at once, a multiple of the images of a step. null: those of a step (training.batchSize times training.accumulate).',
  );

const minibatchOt = z.strictObject({
  kind: z.literal('minibatch-ot').describe('Fresh noise, given to the data of a batch in the cheapest order.'),
  cost,
  perClass,
  largeBatch,
});

// [cuturi:13].
const sinkhorn = z.strictObject({
  kind: z.literal('sinkhorn').describe('Fresh noise, given to the data of a batch by an entropic plan.'),
  cost,
  perClass,
  largeBatch,
  epsilon: z
    .number()
    .gt(0)
    .default(0.05)
    .describe(
      "Weight of the entropy, in units of the standard deviation of the batch's costs without the means of rows and columns.",
    ),
  tolerance: z.number().gt(0).default(1e-3).describe("Error of the plan's marginals (L1) at which the iteration ends."),
  maxIterations: count.default(5000).describe('Most iterations; a plan that is not found by then stops the run.'),
  sources: z
    .enum(['once', 'with-replacement'])
    .default('once')
    .describe(
      "Whether every noise of a batch is used once, or each datum draws for itself, so that noises repeat ('with-replacement').",
    ),
});

// [davtyan:25], appendix F.1 and F.2.
const refresh = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('all'),
      everyImages: count.describe('Images after which all kept noises are drawn anew.'),
    }),
    z.strictObject({
      kind: z.literal('gradual'),
      probability: probability.describe('Probability that the noise of a datum in the batch is drawn anew.'),
    }),
  ])
  .nullable()
  .default(null)
  .describe('Replacement of kept noises by new ones. null: none.');

// [davtyan:25], algorithm 1; the defaults are the paper's method.
const loom = z.strictObject({
  kind: z.literal('loom').describe('Every datum keeps noises of its own, which batches exchange for cheaper ones.'),
  caches: count.default(1).describe('Noises that a datum keeps; 4 for sets of the size of CIFAR-10.'),
  cost,
  perClass,
  largeBatch,
  reassign: z.boolean().default(true).describe('Whether noises are exchanged; false: the source stays fixed.'),
  keep: z
    .boolean()
    .default(true)
    .describe('Whether exchanges are remembered; false: fresh noise each time, as in minibatch-ot.'),
  trainAfter: count
    .nullable()
    .default(null)
    .describe('Images that are paired before the first step of the network (rounded up to whole batches). null: none.'),
  refresh,
  interpolate: probability
    .default(1)
    .describe('Probability of training with the kept noise instead of a fresh one that is not kept; 1: always.'),
});

// [genevay:16], section 4; see `potentialAscent` for the fit.
const semidiscrete = z.strictObject({
  kind: z
    .literal('semidiscrete')
    .describe(
      'Fresh noise, each sent to the datum that the optimal transport between all noise and the whole set gives it.',
    ),
  noisesPerImage: count
    .default(60)
    .describe(
      'Noises for each image that the transport is fitted to before training; the chi-squared of shares is about 2 over it.',
    ),
  fitBatch: z
    .int()
    .min(2)
    .multipleOf(2)
    .default(256)
    .describe('Noises for one change of the potentials, at most a sixteenth of the images.'),
  rate: z
    .number()
    .positive()
    .default(4)
    .describe(
      'How much a noise lowers the potential of its datum at first, in mean differences between the best two scores.',
    ),
  slowing: z
    .number()
    .positive()
    .default(2)
    .describe(
      'Noises per image during which the changes of potentials hardly fall; later they fall with the power 3/4 of the noises.',
    ),
  perClass: z
    .boolean()
    .default(false)
    .describe(
      'Whether noise is shared out among the data of each label by themselves. A model with labels needs it: else the noise of a label is no longer normal.',
    ),
  memoryBytes: count
    .default(4 * 2 ** 30)
    .describe('Memory that the latents of the whole set may take, mirrored ones included (bytes).'),
});

/** Section `coupling`. */
export const couplingSection = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('independent').describe('Fresh noise for every image, every time.') }),
    minibatchOt,
    sinkhorn,
    loom,
    semidiscrete,
  ])
  .prefault({ kind: 'independent' })
  .describe('Which noise meets which datum.');
