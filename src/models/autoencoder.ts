/** The convolutional encoder and decoder between pictures and latents that `vq-vae.ts` and `kl-autoencoder.ts` share. */
import { silu } from '../engine/ops.ts';
import { formatShape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConfigError, ShapeError } from '../errors.ts';
import { type AttentionBlockParameters, attentionBlock } from './layers/attention-block.ts';
import { type ConvolutionParameters, convolution } from './layers/convolution.ts';
import { groupNormLayer, type NormParameters } from './layers/group-norm.ts';
import type { Layer, OpaqueLayer } from './layers/layer.ts';
import { type PlainResidualParameters, plainResidualBlock } from './layers/plain-residual-block.ts';
import { resamplings } from './layers/resample.ts';
import type { ParameterTree, TensorsOf } from './parameters.ts';

export interface AutoencoderOptions {
  /**
   * [channels, height, width] of one picture, a square. Pictures of other sizes go through the same network: attention stays at its
   * levels.
   */
  readonly shape: readonly [number, number, number];
  /** Channels that the multipliers multiply. */
  readonly channels: number;
  /** Channels of each level, from the full size down, in units of `channels`; each level but the first halves height and width. */
  readonly multipliers: readonly number[];
  /** Residual blocks of a level of the encoder; the decoder has one more. */
  readonly blocks: number;
  /** Sides of the feature maps whose residual blocks are followed by attention; the smallest maps attend in the middle anyway. */
  readonly attentionResolutions: readonly number[];
  /** Channels between the encoder's or decoder's body and its 1 x 1 convolution. */
  readonly latentChannels: number;
  /** Channels of the latents: those of the code vectors, or of the Gaussian. Default `latentChannels`. */
  readonly codeChannels?: number;
  /** Groups of every norm; they divide the channels of every level. Default 32, as in [esser:21]. */
  readonly groups?: number;
}

/** What every norm is made of; epsilon, added to variances, is that of [esser:21]. */
interface Norm {
  readonly groups: number;
  readonly epsilon: number;
}

function normOf({ groups = 32 }: AutoencoderOptions): Norm {
  return { groups, epsilon: 1e-6 };
}

/** Zeros below and to the right of a map of even size, so that a 3 x 3 kernel with stride 2 halves it. */
const halving = { stride: 2, padding: [0, 1, 0, 1] } as const;

type StageParameters = {
  readonly blocks: readonly PlainResidualParameters[];
  readonly attention: readonly AttentionBlockParameters[];
  readonly resample: ParameterTree;
};

/** Parameters of an encoder (`stages` from the full size down) or a decoder (from the smallest size up). */
export type CoderParameters = {
  readonly input: ConvolutionParameters;
  readonly stages: readonly StageParameters[];
  readonly middle: StageParameters;
  readonly norm: NormParameters;
  readonly output: ConvolutionParameters;
};

interface StagePlan {
  readonly inputs: number;
  readonly outputs: number;
  readonly blocks: number;
  /** How many of the blocks, from the first, are followed by attention. */
  readonly attention: number;
  readonly resample: OpaqueLayer | null;
  readonly norm: Norm;
}

/** Residual blocks of one size, some with attention, and the change of size after them. */
function createStage({ inputs, outputs, blocks, attention, resample, norm }: StagePlan) {
  const residual = Array.from({ length: blocks }, (_, i) =>
    plainResidualBlock(i === 0 ? inputs : outputs, outputs, norm),
  );
  // All layers start as PyTorch's convolutions do, the output of attention included.
  const attending = Array.from({ length: attention }, () =>
    attentionBlock(outputs, { heads: 1, ...norm, outputStart: {} }),
  );
  const parameters: StageParameters = {
    blocks: residual.map((block) => block.parameters),
    attention: attending.map((block) => block.parameters),
    resample: resample?.parameters ?? {},
  };
  return {
    parameters,
    apply(tensors: TensorsOf<StageParameters>, x: Tensor): Tensor {
      let h = x;
      for (const [i, block] of residual.entries()) {
        h = block.apply(tensors.blocks[i], h);
        if (i < attending.length) h = attending[i].apply(tensors.attention[i], h);
      }
      return resample === null ? h : resample.apply(tensors.resample, h);
    },
  };
}

type Stage = ReturnType<typeof createStage>;

/** Two residual blocks of the smallest maps with attention between them. */
function createMiddle(width: number, norm: Norm): Stage {
  return createStage({ inputs: width, outputs: width, blocks: 2, attention: 1, resample: null, norm });
}

interface CoderPlan {
  readonly inputs: number;
  /** Channels after the first convolution, and before the last. */
  readonly ends: readonly [number, number];
  readonly outputs: number;
  readonly stages: readonly Stage[];
  readonly middle: Stage;
  /** Whether the middle stands in front of the stages. */
  readonly middleFirst: boolean;
  readonly norms: Norm;
}

/** First convolution, the stages, and norm, SiLU and the last convolution. */
function createCoder({ inputs, ends, outputs, stages, middle, middleFirst, norms }: CoderPlan): Layer<CoderParameters> {
  const input = convolution(inputs, ends[0]);
  const norm = groupNormLayer(ends[1], norms.groups, { epsilon: norms.epsilon });
  const output = convolution(ends[1], outputs);
  return {
    parameters: {
      input: input.parameters,
      stages: stages.map((stage) => stage.parameters),
      middle: middle.parameters,
      norm: norm.parameters,
      output: output.parameters,
    },
    apply(parameters, x) {
      let h = input.apply(parameters.input, x);
      if (middleFirst) h = middle.apply(parameters.middle, h);
      for (const [i, stage] of stages.entries()) h = stage.apply(parameters.stages[i], h);
      if (!middleFirst) h = middle.apply(parameters.middle, h);
      return output.apply(parameters.output, silu(norm.apply(parameters.norm, h)));
    },
  };
}

/** How many pixels of a side become one latent position. */
export function reduction({ multipliers }: Pick<AutoencoderOptions, 'multipliers'>): number {
  return 2 ** (multipliers.length - 1);
}

/** Levels, from the full size down, whose blocks are followed by attention. */
export function attentionLevels({ shape, attentionResolutions }: AutoencoderOptions): readonly number[] {
  return attentionResolutions.map((side) => Math.log2(shape[1] / side));
}

function checkOptions(options: AutoencoderOptions): void {
  const { shape, multipliers, attentionResolutions } = options;
  const where = 'models/autoencoder';
  const factor = reduction(options);
  if (shape[1] !== shape[2] || shape[1] % factor !== 0) {
    const expected = `\`shape\` to be a square whose side is a multiple of ${factor}, for ${multipliers.length} levels`;
    throw new ConfigError({ expected, got: `[${shape.join(', ')}]`, where });
  }
  if (!attentionLevels(options).every((level) => Number.isInteger(level) && level >= 0 && level < multipliers.length)) {
    throw new ConfigError({
      expected: `\`attentionResolutions\` to be sides of the ${multipliers.length} levels of [${shape.join(', ')}]`,
      got: `[${attentionResolutions.join(', ')}]`,
      where,
    });
  }
}

/** @throws ShapeError unless x is [batch, channels, height, width] with sides that `factor` divides. */
function checkMap(x: Tensor, channels: number, factor: number): void {
  const [, given, ...sides] = x.shape;
  if (x.shape.length === 4 && given === channels && sides.every((side) => side > 0 && side % factor === 0)) return;
  const multiples = factor === 1 ? '' : ` with sides that are multiples of ${factor}`;
  const expected = `\`x\` to be [batch, ${channels}, height, width]${multiples}`;
  throw new ShapeError({ expected, got: formatShape(x.shape), where: 'models/autoencoder' });
}

/**
 * The encoder of [esser:21] (architecture in its supplement), as latent diffusion uses it: pictures [batch, channels, height, width] to
 * [batch, outputs, height / f, width / f], f = 2^(levels - 1). A level's maps are halved by a convolution with stride 2 that is padded
 * below and to the right alone.
 * @throws ConfigError if sizes, attention or groups of channels do not fit. Its `apply` throws ShapeError for another x.
 */
export function encoder(options: AutoencoderOptions, outputs: number): Layer<CoderParameters> {
  checkOptions(options);
  const { shape, channels, multipliers, blocks } = options;
  const widths = multipliers.map((multiplier) => multiplier * channels);
  const attending = attentionLevels(options);
  const last = widths.length - 1;
  const stages = widths.map((width, level) =>
    createStage({
      inputs: level === 0 ? channels : widths[level - 1],
      outputs: width,
      blocks,
      attention: attending.includes(level) ? blocks : 0,
      resample: level < last ? convolution(width, width, halving) : null,
      norm: normOf(options),
    }),
  );
  const ends = [channels, widths[last]] as const;
  const coder = createCoder({
    inputs: shape[0],
    ends,
    outputs,
    stages,
    middle: createMiddle(widths[last], normOf(options)),
    middleFirst: false,
    norms: normOf(options),
  });
  return {
    parameters: coder.parameters,
    apply(parameters, x) {
      checkMap(x, shape[0], reduction(options));
      return coder.apply(parameters, x);
    },
  };
}

/**
 * The decoder of [esser:21] (architecture in its supplement): [batch, latentChannels, height / f, width / f] to pictures [batch, channels, height, width], not
 * clipped. Maps are doubled by repeated pixels and a convolution.
 * @throws ConfigError if sizes, attention or groups of channels do not fit. Its `apply` throws ShapeError for another x.
 */
export function decoder(options: AutoencoderOptions): Layer<CoderParameters> {
  checkOptions(options);
  const { shape, channels, multipliers, blocks, latentChannels } = options;
  const widths = multipliers.map((multiplier) => multiplier * channels);
  const attending = attentionLevels(options);
  const last = widths.length - 1;
  const stages = widths.toReversed().map((width, step) => {
    const level = last - step;
    return createStage({
      inputs: widths[Math.min(level + 1, last)],
      outputs: width,
      blocks: blocks + 1,
      attention: attending.includes(level) ? blocks + 1 : 0,
      resample: level > 0 ? resamplings.convolution.up(width) : null,
      norm: normOf(options),
    });
  });
  const ends = [widths[last], widths[0]] as const;
  const middle = createMiddle(widths[last], normOf(options));
  const coder = createCoder({
    inputs: latentChannels,
    ends,
    outputs: shape[0],
    stages,
    middle,
    middleFirst: true,
    norms: normOf(options),
  });
  return {
    parameters: coder.parameters,
    apply(parameters, x) {
      checkMap(x, latentChannels, 1);
      return coder.apply(parameters, x);
    },
  };
}
