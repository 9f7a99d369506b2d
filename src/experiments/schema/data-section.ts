/** Config sections `data` and `latent`: what is learned, and in which space. */
import { z } from 'zod';

const seed = z.int().min(0).max(0xffffffff);

const source = z.string().min(1);

/** Images in section `data`. */
export const imageDataSection = z.strictObject({
  kind: z.literal('images'),
  source: source.describe(
    "Images to learn from: 'fashion' or 'portraits' (they come with flowloom), or a path: folder of images, IDX, CIFAR binary, .npz.",
  ),
  label: z
    .string()
    .nullable()
    .default(null)
    .describe('Attribute that labels the images (portraits: role, gender, skin). null: the first of the set.'),
  size: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Height and width of the images of a folder, in pixels. null: as stored; they must then be equal.'),
  fit: z
    .enum(['crop', 'stretch', 'pad'])
    .default('crop')
    .describe(
      "How an image of a folder comes to its size: 'crop' cuts the middle out, 'stretch' distorts, 'pad' adds white.",
    ),
  channels: z
    .union([z.literal(1), z.literal(3)])
    .nullable()
    .default(null)
    .describe('Channels of the images of a folder: 1 grey, 3 RGB. null: 1 if all are grey, else 3.'),
  heldOut: z
    .number()
    .gt(0)
    .lt(1)
    .nullable()
    .default(0.1)
    .describe('Fraction held out for validation where the set has no test split. null: none; then no validation.'),
  heldOutSeed: seed.default(0).describe('Which images are held out; not the seed of the run, so that runs compare.'),
  flip: z.boolean().default(false).describe('Whether images are mirrored at random, left to right.'),
  strict: z
    .boolean()
    .default(false)
    .describe('Whether an unreadable image stops the run; otherwise it is left out, named and counted.'),
  verify: z
    .enum(['nothing', 'headers', 'pixels'])
    .default('headers')
    .describe('What of every file of a folder is looked at before the start.'),
  cacheBytes: z
    .int()
    .min(0)
    .default(2 ** 29)
    .describe('Decoded images of a folder stay in memory if all of them fit into this many bytes.'),
  workers: z
    .int()
    .min(0)
    .max(256)
    .nullable()
    .default(null)
    .describe('Threads that decode images. null: 1 for files, 0 for sets in memory. The batches are the same.'),
});

const vectors = z.strictObject({
  kind: z.literal('vectors'),
  source: source.describe(
    "Points to learn from: 'two-moons', 'eight-gaussians', 'checkerboard' or 'swiss-roll', or the path of an .npz file.",
  ),
  count: z
    .int()
    .min(1)
    .max(2 ** 28)
    .default(10_000)
    .describe('Points drawn of a named density; files keep theirs.'),
  seed: seed.default(0).describe('Which points are drawn; not the seed of the run, so that runs compare.'),
});

const latents = z.strictObject({
  kind: z.literal('latents'),
  source: source
    .nullable()
    .default(null)
    .describe(
      'An .npz file with latents `x`, float [count, channels, height, width], scaled as the network is to see them, and labels `y`. null: none, for weights from elsewhere: they can be sampled, but neither trained nor measured.',
    ),
  shape: z
    .tuple([z.int().min(1), z.int().min(1), z.int().min(1)])
    .default([4, 32, 32])
    .describe('Channels, height and width of the latents.'),
  classes: z.int().min(1).nullable().default(null).describe('Number of labels, which count from 0. null: no labels.'),
});

/** Section `data`. */
export const dataSection = z
  .discriminatedUnion('kind', [imageDataSection, vectors, latents])
  .describe('What is learned: images, vectors, or latents of images that were made elsewhere.');

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** How latents are kept in a cache. */
export const latentDtype = z
  .enum(['float16', 'float32'])
  .default('float16')
  .describe('How latents are stored where they are encoded: float16 halves the size, with errors of at most 2^-11.');

// [rombach:22].
const autoencoder = z.strictObject({
  kind: z.literal('autoencoder').describe('Latents of a trained autoencoder, mean 0 and deviation 1 in every channel.'),
  run: source.describe("Folder of an autoencoder's run, or of one of its checkpoints."),
  cache: source
    .nullable()
    .default(null)
    .describe(
      "Folder of the encoded images, as `flowloom encode` makes it; made where it is missing. null: one in the user's cache folder.",
    ),
  dtype: latentDtype,
  encoder: hash
    .nullable()
    .default(null)
    .describe('SHA-256 that the autoencoder must have. null: any; a run writes down the one that it begins with.'),
  normalization: z
    .strictObject({
      mean: z.array(z.number()).min(1).describe('Subtracted from the values of each channel.'),
      deviation: z.array(z.number().gt(0)).min(1).describe('By which they are divided then.'),
    })
    .nullable()
    .default(null)
    .describe('null: as measured over the training images; a run writes down what it begins with.'),
});

/** Section `latent`. */
export const latentSection = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('identity').describe('Pixels themselves, from -1 to 1.') }),
    autoencoder,
  ])
  .prefault({ kind: 'identity' })
  .describe('The space in which the flow runs.');
