/** Config sections `path`, `time` and `training`: the loss and how it is made small. Progress is counted in images. */
import { z } from 'zod';
import { metricNames, metricValueNames } from '../metric-names.ts';

const images = z.int().min(1);

/** Section `path`: the straight path of [lipman:23], with the width of [davtyan:25]. */
export const pathSection = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('linear'),
      sigma: z.number().min(0).default(0).describe('Standard deviation of the noise around the path, in latent units.'),
    }),
  ])
  .prefault({ kind: 'linear' })
  .describe('The way from noise to data.');

/** Section `time`: at which times the model is trained. */
export const timeSection = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('uniform').describe('All times alike.') }),
    z.strictObject({
      kind: z.literal('logit-normal'),
      mean: z.number().default(0).describe('Mean of the logit of time; positive leans towards data.'),
      deviation: z.number().gt(0).default(1).describe('Standard deviation of the logit of time.'),
    }),
  ])
  .prefault({ kind: 'uniform' })
  .describe('Distribution of training times in (0, 1).');

const beta = z.number().min(0).lt(1);

const adamFields = {
  learningRate: z.number().gt(0).default(2e-4).describe('Peak of the learning rate.'),
  betas: z.tuple([beta, beta]).default([0.9, 0.999]).describe('Decays of the first and the second moment.'),
  epsilon: z.number().gt(0).default(1e-8).describe('Added to the root of the second moment.'),
};

const penalty = z.number().min(0).default(0).describe('Factor of the L2 penalty whose gradient is added.');

// [kingma:15], [loshchilov:19], [liu:20].
const optimizer = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('adam'), ...adamFields, weightDecay: penalty }),
    z.strictObject({
      kind: z.literal('adamw'),
      ...adamFields,
      weightDecay: z
        .number()
        .min(0)
        .default(0.01)
        .describe('Share that a parameter loses per update and learning rate.'),
    }),
    z.strictObject({ kind: z.literal('radam'), ...adamFields, weightDecay: penalty }),
  ])
  .prefault({ kind: 'adam' })
  .describe('Rule that turns gradients into new parameters.');

const warmupImages = z.int().min(0).default(0).describe('Images over which the learning rate rises from 0.');

const schedule = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('constant'), warmupImages }),
    z.strictObject({
      kind: z.literal('cosine'),
      warmupImages,
      finalFraction: z.number().min(0).max(1).default(0).describe('Learning rate at the end, as a share of its peak.'),
    }),
  ])
  .prefault({ kind: 'constant' })
  .describe('Learning rate over the run.');

const biasCorrected = z
  .boolean()
  .default(true)
  .describe('Whether the initial parameters have no share in the average; otherwise it starts as their copy.');

const ema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('decay'),
      decay: z.number().min(0).lt(1).default(0.9999).describe('Weight of the past in each update.'),
      biasCorrected,
    }),
    z.strictObject({
      kind: z.literal('half-life'),
      halfLifeImages: z.number().gt(0).default(500_000).describe('Images after which a weight has halved.'),
      biasCorrected,
    }),
  ])
  .nullable()
  .prefault({ kind: 'decay' })
  .describe('Moving average of the parameters, which sampling uses. null: none; sampling uses the parameters.');

const validation = z
  .strictObject({
    everyImages: images.nullable().default(100_000).describe('Images between measurements. null: only at the end.'),
    images: images.default(1000).describe('Held-out images, at most; noise and times are the same each time.'),
  })
  .prefault({})
  .describe('Loss on held-out images.');

const checkpoint = z
  .strictObject({
    everyImages: images.nullable().default(100_000).describe('Images between checkpoints. null: only at the end.'),
    keep: images.nullable().default(3).describe('Newest checkpoints that are kept. null: all.'),
  })
  .prefault({})
  .describe('Saved states from which the run continues bit by bit.');

const best = z
  .strictObject({
    metric: z.enum(metricValueNames).describe('Value by which evaluations are compared; one of a metric in `metrics`.'),
    keep: z
      .boolean()
      .default(true)
      .describe(
        'Whether the checkpoint of the best evaluation is kept, as checkpoints/best, whatever `checkpoint.keep` says.',
      ),
    patience: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('Evaluations without a better one after which training stops. null: it never stops early.'),
  })
  .nullable()
  .default(null)
  .describe('What is done with the best evaluation. null: nothing.');

/** What samples are compared with, and by what. */
export const comparison = {
  features: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('What samples are compared by, as for `flowloom evaluate --features`. null: its default.'),
  against: z.enum(['train', 'heldOut']).default('train').describe('Data to compare with.'),
  referenceCount: z
    .int()
    .min(2)
    .nullable()
    .default(10_000)
    .describe('Data to compare with at most, spread evenly. null: all.'),
};

const evaluation = z
  .strictObject({
    everyImages: images.default(100_000).describe('Images between evaluations; there is one at the end too.'),
    metrics: z
      .array(z.enum(metricNames))
      .min(1)
      .default(['frechet'])
      .describe('What is measured; see `flowloom evaluate --help`.'),
    features: comparison.features,
    count: z
      .int()
      .min(2)
      .default(500)
      .describe('Samples, of seeds 0 and following; by `sampling`, of the averaged parameters.'),
    against: comparison.against,
    referenceCount: comparison.referenceCount,
    best,
  })
  .nullable()
  .default(null)
  .describe('Metrics of samples during training. null: none.');

const log = z
  .strictObject({ everyImages: images.default(1000).describe('Images between lines of log.jsonl.') })
  .prefault({})
  .describe('What is written to log.jsonl.');

const updateFields = {
  images: images.describe('Length of the training in images, repetitions included.'),
  batchSize: z.int().min(1).max(65_536).default(128).describe('Images of one evaluation of the gradient.'),
  accumulate: z
    .int()
    .min(1)
    .max(65_536)
    .default(1)
    .describe('Batches whose gradients are averaged for one update; saves memory.'),
  rematerialise: z
    .enum(['nothing', 'cheap', 'blocks'])
    .default('nothing')
    .describe(
      'What the gradient computes again instead of keeping it. cheap: norms, activation functions and changes of shape, which take little time. blocks: the inside of every block of the network, for less memory and a longer step. In float32 results are the same.',
    ),
  inPlace: z
    .boolean()
    .default(false)
    .describe(
      'Whether a step writes over parameters, moments and average instead of beside them: half their memory. A step that is not finite then leaves the last checkpoint only, and cannot be looked into.',
    ),
  optimizer,
};

/** What a step computes in. */
const precision = z.enum(['float32', 'mixed']).default('float32');

/** Section `training`. */
export const trainingSection = z
  .strictObject({
    ...updateFields,
    clip: z.number().gt(0).nullable().default(1).describe('Largest global norm of the gradient. null: no limit.'),
    precision: precision.describe(
      // [micikevicius:18].
      'What a step computes in. mixed: products and activations in float16, parameters, sums, loss and update in float32, gradients of a scaled loss; for providers webgpu and cuda, and GPUs that have float16. Validation and samples are float32 in either.',
    ),
    schedule,
    ema,
    labelDropout: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('Share of labels replaced by the null label, so that guidance works; models without labels ignore it.'),
    validation,
    evaluation,
    checkpoint,
    log,
  })
  .describe('How the model is trained.');

/** Section `training` of an autoencoder's config; the default of `clip` is that of [briq:26], C.1. */
export const autoencoderTrainingSection = z
  .strictObject({
    ...updateFields,
    clip: z
      .number()
      .gt(0)
      .nullable()
      .default(2)
      .describe(
        'Largest global norm of the gradient, of the autoencoder and of the discriminator each. null: no limit.',
      ),
    precision: precision.describe('What a step computes in: float32. mixed is for flows only.'),
    schedule,
    ema,
    validation,
    checkpoint,
    log,
  })
  .describe('How the autoencoder is trained.');
