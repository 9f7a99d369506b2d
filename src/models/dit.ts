import { add, constantTensor, reshape, sliceAxis, split } from '../engine/ops.ts';
import { ConfigError } from '../errors.ts';
import { type ConditionParameters, conditionEmbedding } from './layers/condition.ts';
import { type DitBlockParameters, ditBlock, modulatedNorm, xavierLinear } from './layers/dit-block.ts';
import { type LinearParameters, linear, zeroStart } from './layers/linear.ts';
import { fromPatches, gridEmbedding, toPatches } from './layers/patches.ts';
import { blockCalls } from './layers/rematerialisation.ts';
import { checkInputs, type Model } from './model.ts';
import { constantly, normal, type TensorsOf } from './parameters.ts';

export interface DitSize {
  /** Number of blocks. */
  readonly depth: number;
  /** Features of a token. */
  readonly width: number;
  readonly heads: number;
}

/** Sizes of [peebles:23], table 1. A network is a size with a patch: `DiT-B/4` has patches of 4 x 4. */
export const ditSizes = {
  S: { depth: 12, width: 384, heads: 6 },
  B: { depth: 12, width: 768, heads: 12 },
  L: { depth: 24, width: 1024, heads: 16 },
  XL: { depth: 28, width: 1152, heads: 16 },
} as const satisfies Readonly<Record<string, DitSize>>;

/** Sides of the patches of [peebles:23]. */
export const ditPatches = [2, 4, 8] as const;

export interface DitOptions extends DitSize {
  /** [channels, height, width] of one sample. */
  readonly shape: readonly [number, number, number];
  /** Side of a square patch; divides height and width. */
  readonly patch: number;
  /** Hidden features of the MLP over the width. Default 4. */
  readonly mlpRatio?: number;
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /** Factor on time before its sinusoidal features. Default 1000. */
  readonly timeScale?: number;
  /**
   * Whether the last layer makes as many channels again, as that of published checkpoints, whose diffusion models predict variances
   * with them. They are no part of the prediction. Default false.
   */
  readonly variances?: boolean;
  /** Default `DiT-<size>/<patch>` where depth, width and heads are a published size's, else `DiT-<depth>x<width>/<patch>`. */
  readonly name?: string;
}

/** Sinusoidal features of time, as in [peebles:23]. */
const TIME_FEATURES = 256;

export type DitParameters = {
  /** [width, channels · patch · patch]: a convolution kernel with its last three axes as one. */
  readonly patches: LinearParameters;
  readonly condition: ConditionParameters;
  readonly blocks: readonly DitBlockParameters[];
  /** From the condition to shift and scale of the last norm: [2 width, width]. */
  readonly modulation: LinearParameters;
  /** [patch · patch · channels, width]; with variances, of twice as many channels. */
  readonly output: LinearParameters;
};

function checkOptions({ shape, patch, width }: DitOptions): void {
  const where = 'models/dit';
  if (shape[1] % patch !== 0 || shape[2] % patch !== 0) {
    const expected = `\`patch\` to divide height and width of [${shape.join(', ')}]`;
    throw new ConfigError({ expected, got: `${patch}`, where });
  }
  if (width % 4 !== 0) throw new ConfigError({ expected: '`width` to be a multiple of 4', got: `${width}`, where });
}

function defaultName({ patch, depth, width, heads }: DitOptions): string {
  const published = Object.entries(ditSizes).find(
    ([, size]) => size.depth === depth && size.width === width && size.heads === heads,
  );
  return `DiT-${published?.[0] ?? `${depth}x${width}`}/${patch}`;
}

/** Channels that the last layer makes. */
function outputChannels({ shape, variances = false }: DitOptions): number {
  return variances ? 2 * shape[0] : shape[0];
}

function ditLayers(options: DitOptions) {
  const { shape, patch, depth, width, heads, mlpRatio = 4, classes, timeScale = 1000 } = options;
  return {
    patches: xavierLinear(shape[0] * patch * patch, width),
    condition: conditionEmbedding({
      timeFeatures: TIME_FEATURES,
      width,
      classes,
      timeScale,
      timeStart: { weight: normal(0.02), bias: constantly(0) },
      labelDeviation: 0.02,
    }),
    blocks: Array.from({ length: depth }, () => ditBlock(width, { heads, mlpRatio })),
    modulation: linear(width, 2 * width, zeroStart),
    output: linear(width, patch * patch * outputChannels(options), zeroStart),
  } as const;
}

/**
 * Transformer on patches, conditioned on time and label through adaptive layer norms that start as zero, and with an output that
 * starts as zero. Source: [peebles:23]. Inside, tokens are [tokens, batch, width] (see `tokensFirstAttention`).
 * @throws ConfigError if the patch does not divide the image, or the heads the width, or the width is no multiple of 4.
 */
export function dit(options: DitOptions): Model {
  checkOptions(options);
  const { shape, patch, width, classes, name = defaultName(options) } = options;
  const layers = ditLayers(options);
  const parameters: DitParameters = {
    patches: layers.patches.parameters,
    condition: layers.condition.parameters,
    blocks: layers.blocks.map((block) => block.parameters),
    modulation: layers.modulation.parameters,
    output: layers.output.parameters,
  };
  const facts = { name, parameters, predicts: 'velocity', input: { shape }, classes } as const;
  const [rows, columns] = [shape[1] / patch, shape[2] / patch];
  const channels = outputChannels(options);
  return {
    ...facts,
    apply(tensors: TensorsOf<DitParameters>, inputs, { rematerialise = 'nothing' } = {}) {
      checkInputs(facts, inputs);
      const { x, time, labels } = inputs;
      const condition = layers.condition.apply(tensors.condition, { time, labels });
      const positions = constantTensor(gridEmbedding(rows, columns, width), [rows * columns, 1, width], x.dtype);
      let h = add(layers.patches.apply(tensors.patches, toPatches(x, patch)), positions); // [tokens, batch, width]
      for (const [i, block] of layers.blocks.entries()) {
        h = blockCalls[rematerialise]((tokens) => block.apply(tensors.blocks[i], { x: tokens, condition }), h);
      }
      const [shift, scale] = split(layers.modulation.apply(tensors.modulation, condition), 2, 1);
      const result = layers.output.apply(tensors.output, modulatedNorm(h, { shift, scale }));
      const tokens = reshape(result, [rows * columns, -1, patch * patch * channels]);
      const image = fromPatches(tokens, patch, [channels, shape[1], shape[2]]);
      return channels === shape[0] ? image : sliceAxis(image, 1, 0, shape[0]);
    },
  };
}
