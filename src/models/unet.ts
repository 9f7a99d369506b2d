import { add, concat, silu } from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { TensorTree } from '../engine/trace.ts';
import { ConfigError } from '../errors.ts';
import { type AttentionBlockParameters, attentionBlock } from './layers/attention-block.ts';
import { type ConditionParameters, conditionEmbedding } from './layers/condition.ts';
import { type ConvolutionParameters, convolution, zeroConvolution } from './layers/convolution.ts';
import { groupNormLayer, type NormParameters } from './layers/group-norm.ts';
import type { OpaqueLayer } from './layers/layer.ts';
import { fromPixelBlocks, toPixelBlocks } from './layers/pixel-blocks.ts';
import { blockCalls, type CallBlock } from './layers/rematerialisation.ts';
import { type Resample, type Resizing, resamplings } from './layers/resample.ts';
import {
  type ConditionedMap,
  type Conditioning,
  type ResidualOptions,
  type ResidualParameters,
  residualBlock,
} from './layers/residual-block.ts';
import { checkInputs, type Model } from './model.ts';
import type { ParameterTree, TensorsOf } from './parameters.ts';

export interface UnetOptions {
  /** [channels, height, width] of one sample; height and width are multiples of patch · 2^(levels - 1). */
  readonly shape: readonly [number, number, number];
  /** Side of the square of pixels that the network sees as one, with a channel for each. Default 1. */
  readonly patch?: number;
  /** Channels of each level, from the full size down; each level has half the height and width of the one before. */
  readonly channels: readonly number[];
  /** Residual blocks of a level on the way down. */
  readonly blocks: number;
  /** Levels, counted from 0 at the full size, whose residual blocks are followed by attention. */
  readonly attention: readonly number[];
  /** Channels of an attention head. */
  readonly headChannels: number;
  /** Whether the smallest level ends in block, attention, block. */
  readonly middle: boolean;
  /**
   * Which maps the way up meets again. `blocks`: the results of the residual blocks, one for each block, as further channels. `all`:
   * also those of the first convolution and of the down-sampling, with one more block a level on the way up [dhariwal:21]. `sum`: as
   * `blocks`, but added, after a 1 x 1 convolution to the level's channels at the smaller size: the least work at full size.
   */
  readonly skips: 'blocks' | 'all' | 'sum';
  /** Change of size between levels; `residual`: by residual blocks ("resblock_updown" of [dhariwal:21]'s code). */
  readonly resample: Resample | 'residual';
  /** How residual blocks take their condition. Default `scale-shift`. */
  readonly conditioning?: Conditioning;
  /** Groups of the norms; divides the channels of all levels. */
  readonly groups: number;
  /** Features of the condition. Default 4 · channels[0]. */
  readonly features?: number;
  /** Sinusoidal features of time. Default channels[0]. */
  readonly timeFeatures?: number;
  /** Factor on time before its sinusoidal features. Default 1000. */
  readonly timeScale?: number;
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /** Default `UNet-<channels>`. */
  readonly name?: string;
}

type StageParameters = {
  readonly blocks: readonly ResidualParameters[];
  /** The attention after each block, where the level has attention. */
  readonly attention: readonly AttentionBlockParameters[];
  /** Empty where the resampling has no parameters. */
  readonly resample: ParameterTree;
};

export type UnetParameters = {
  readonly condition: ConditionParameters;
  readonly input: ConvolutionParameters;
  /** From the full size to the smallest. */
  readonly down: readonly StageParameters[];
  readonly middle: StageParameters;
  /** From the smallest size to the full. */
  readonly up: readonly StageParameters[];
  readonly norm: NormParameters;
  readonly output: ConvolutionParameters;
};

interface StagePlan {
  /** Channels that each block reads. */
  readonly inputs: readonly number[];
  readonly outputs: number;
  /** How many of the blocks are followed by attention. */
  readonly attention: number;
  readonly resample: ResampleLayer | null;
}

/** A change of size that may listen to the condition. */
interface ResampleLayer {
  readonly parameters: ParameterTree;
  apply(parameters: TensorTree, inputs: ConditionedMap): Tensor;
}

interface BlockOptions extends ResidualOptions {
  readonly headChannels: number;
}

/** The blocks of one level in one direction, and the change of size after them. */
function createStage({ inputs, outputs, attention, resample }: StagePlan, options: BlockOptions) {
  const heads = outputs / options.headChannels;
  const blocks = inputs.map((channels) => residualBlock(channels, outputs, options));
  const attentions = Array.from({ length: attention }, () =>
    attentionBlock(outputs, { heads, groups: options.groups }),
  );
  const parameters: StageParameters = {
    blocks: blocks.map((block) => block.parameters),
    attention: attentions.map((block) => block.parameters),
    resample: resample?.parameters ?? {},
  };
  return {
    parameters,
    blocks: blocks.length,
    /** Block `index` and its attention. */
    applyBlock(tensors: TensorsOf<StageParameters>, index: number, inputs: ConditionedMap): Tensor {
      const h = blocks[index].apply(tensors.blocks[index], inputs);
      return index < attentions.length ? attentions[index].apply(tensors.attention[index], h) : h;
    },
    /** Whether the size changes after the blocks. */
    resamples: resample !== null,
    resample: (tensors: TensorsOf<StageParameters>, inputs: ConditionedMap) =>
      resample?.apply(tensors.resample, inputs) ?? inputs.x,
  };
}

/** Changes of size by their name, for so many channels. */
function resampleLayers(resample: UnetOptions['resample'], options: BlockOptions) {
  if (resample === 'residual') {
    const block = (channels: number, resize: Resizing) => residualBlock(channels, channels, { ...options, resize });
    return {
      down: (channels: number) => block(channels, 'down') as ResampleLayer,
      up: (channels: number) => block(channels, 'up') as ResampleLayer,
    };
  }
  const deaf = ({ parameters, apply }: OpaqueLayer): ResampleLayer => ({
    parameters,
    apply: (tensors, { x }) => apply(tensors, x),
  });
  const { down, up } = resamplings[resample];
  return { down: (channels: number) => deaf(down(channels)), up: (channels: number) => deaf(up(channels)) };
}

/** A change of size after a 1 x 1 convolution to fewer channels. */
function narrowed(inputs: number, outputs: number, up: (channels: number) => ResampleLayer): ResampleLayer {
  const narrow = convolution(inputs, outputs, { kernel: 1 });
  const larger = up(outputs);
  return {
    parameters: { narrow: narrow.parameters, larger: larger.parameters },
    apply: (
      tensors: { readonly narrow: TensorsOf<ConvolutionParameters>; readonly larger: TensorsOf<ParameterTree> },
      { x, condition }: ConditionedMap,
    ) => larger.apply(tensors.larger, { x: narrow.apply(tensors.narrow, x), condition }),
  };
}

/** Stages of both directions, with the numbers of channels that the skips bring. */
function createStages(options: UnetOptions, block: BlockOptions) {
  const { channels, blocks, attention, middle, skips, resample } = options;
  const { down, up } = resampleLayers(resample, block);
  const last = channels.length - 1;
  const saved: number[] = skips === 'all' ? [channels[0]] : [];
  const downward = channels.map((outputs, level) => {
    const inputs = Array.from({ length: blocks }, (_, i) => (i > 0 ? outputs : channels[Math.max(level - 1, 0)]));
    saved.push(...inputs.map(() => outputs), ...(skips === 'all' && level < last ? [outputs] : []));
    return createStage(
      {
        inputs,
        outputs,
        attention: attention.includes(level) ? blocks : 0,
        resample: level < last ? down(outputs) : null,
      },
      block,
    );
  });
  const deepest = channels[last];
  const between = middle ? [deepest, deepest] : [];
  const centre = createStage({ inputs: between, outputs: deepest, attention: middle ? 1 : 0, resample: null }, block);
  const upward = channels.toReversed().map((outputs, step) => {
    const level = last - step;
    const count = skips === 'all' ? blocks + 1 : blocks;
    const before = channels[Math.min(level + 1, last)];
    const inputs = Array.from({ length: count }, (_, i) =>
      skips === 'sum' ? outputs : (i > 0 ? outputs : before) + (saved.pop() ?? 0),
    );
    const larger = level === 0 ? null : skips === 'sum' ? narrowed(outputs, channels[level - 1], up) : up(outputs);
    return createStage({ inputs, outputs, attention: attention.includes(level) ? count : 0, resample: larger }, block);
  });
  return { downward, centre, upward };
}

function checkOptions({ shape, patch = 1, channels, attention, headChannels, middle }: UnetOptions): void {
  const where = 'models/unet';
  const last = channels.length - 1;
  const unit = patch * 2 ** last;
  if (shape[1] % unit !== 0 || shape[2] % unit !== 0) {
    const expected = `height and width to be multiples of ${unit} for ${channels.length} levels of patch ${patch}`;
    throw new ConfigError({ expected, got: `[${shape.join(', ')}]`, where });
  }
  const attending = new Set([...attention, ...(middle ? [last] : [])]);
  for (const level of attending) {
    if (level >= 0 && level <= last && channels[level] % headChannels === 0) continue;
    const expected = `\`attention\` to name levels in [0, ${last}] whose channels are multiples of ${headChannels}`;
    throw new ConfigError({ expected, got: `${level} with channels [${channels.join(', ')}]`, where });
  }
}

type Stages = ReturnType<typeof createStages>;

/** Down, through the middle and up again, from the first map to the last. */
function applyStages(
  { downward, centre, upward }: Stages,
  tensors: Pick<TensorsOf<UnetParameters>, 'down' | 'middle' | 'up'>,
  { x, condition, skips, callBlock }: ConditionedMap & Pick<UnetOptions, 'skips'> & { readonly callBlock: CallBlock },
): Tensor {
  let h = x;
  const saved: Tensor[] = skips === 'all' ? [h] : [];
  for (const [level, stage] of downward.entries()) {
    for (let i = 0; i < stage.blocks; i++) {
      h = callBlock((y) => stage.applyBlock(tensors.down[level], i, { x: y, condition }), h);
      saved.push(h);
    }
    if (!stage.resamples) continue;
    h = callBlock((y) => stage.resample(tensors.down[level], { x: y, condition }), h);
    if (skips === 'all') saved.push(h);
  }
  for (let i = 0; i < centre.blocks; i++)
    h = callBlock((y) => centre.applyBlock(tensors.middle, i, { x: y, condition }), h);
  for (const [step, stage] of upward.entries()) {
    for (let i = 0; i < stage.blocks; i++) {
      // One map was saved for each block of the way up.
      const skip = saved.pop() as Tensor;
      const join = (y: Tensor) => (skips === 'sum' ? add(y, skip) : concat([y, skip], 1));
      h = callBlock((y) => stage.applyBlock(tensors.up[step], i, { x: join(y), condition }), h);
    }
    if (stage.resamples) h = callBlock((y) => stage.resample(tensors.up[step], { x: y, condition }), h);
  }
  return h;
}

/**
 * Convolutional network that halves the picture level by level and doubles it again, with skips between equal sizes; residual
 * blocks are conditioned on time and label. The output starts as zero. Source: [ho:20], [dhariwal:21].
 * @throws ConfigError if sizes, heads or groups do not divide.
 */
export function unet(options: UnetOptions): Model {
  checkOptions(options);
  const { shape, channels, patch = 1, skips, groups, headChannels, classes, timeScale = 1000 } = options;
  const { conditioning = 'scale-shift' } = options;
  const pixels = shape[0] * patch ** 2;
  const { features = 4 * channels[0], timeFeatures = channels[0], name = `UNet-${channels.join('-')}` } = options;
  const condition = conditionEmbedding({ timeFeatures, width: features, classes, timeScale, labelDeviation: 1 });
  const input = convolution(pixels, channels[0]);
  const stages = createStages(options, { features, groups, headChannels, conditioning });
  const norm = groupNormLayer(channels[0], groups);
  const output = convolution(channels[0], pixels, zeroConvolution);
  const parameters: UnetParameters = {
    condition: condition.parameters,
    input: input.parameters,
    down: stages.downward.map((stage) => stage.parameters),
    middle: stages.centre.parameters,
    up: stages.upward.map((stage) => stage.parameters),
    norm: norm.parameters,
    output: output.parameters,
  };
  const facts = { name, parameters, predicts: 'velocity', input: { shape }, classes } as const;
  return {
    ...facts,
    apply(tensors: TensorsOf<UnetParameters>, inputs, { rematerialise = 'nothing' } = {}) {
      checkInputs(facts, inputs);
      const embedded = condition.apply(tensors.condition, inputs);
      const first = input.apply(tensors.input, patch === 1 ? inputs.x : toPixelBlocks(inputs.x, patch));
      const last = applyStages(stages, tensors, {
        x: first,
        condition: embedded,
        skips,
        callBlock: blockCalls[rematerialise],
      });
      const result = output.apply(tensors.output, silu(norm.apply(tensors.norm, last)));
      return patch === 1 ? result : fromPixelBlocks(result, patch);
    },
  };
}

/** U-Nets by name: plain data, to be completed by `shape` and `classes`. */
export const unetPresets = {
  /** For small grey pictures, such as 28 x 28, on a CPU. */
  compact: {
    channels: [32, 64, 96],
    blocks: 1,
    attention: [],
    headChannels: 32,
    middle: true,
    skips: 'sum',
    resample: 'pooling',
    groups: 8,
  },
  /** The network of CIFAR-10 experiments in the manner of [dhariwal:21]: attention at 16 x 16 of 32 x 32 pixels. */
  cifar: {
    channels: [128, 256, 256, 256],
    blocks: 2,
    attention: [1],
    headChannels: 64,
    middle: true,
    skips: 'all',
    resample: 'convolution',
    groups: 32,
  },
} as const satisfies Readonly<Record<string, Omit<UnetOptions, 'shape' | 'classes'>>>;
