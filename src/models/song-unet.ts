import { add, concat, matmul, multiply, oneHot, silu } from '../engine/ops.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConfigError } from '../errors.ts';
import type { ConvolutionParameters } from './layers/convolution.ts';
import { groupNormLayer, type NormParameters } from './layers/group-norm.ts';
import type { Layer } from './layers/layer.ts';
import type { LinearParameters } from './layers/linear.ts';
import { blockCalls, type CallBlock } from './layers/rematerialisation.ts';
import type { ConditionedMap } from './layers/residual-block.ts';
import {
  lastSongConvolution,
  SONG_EPSILON,
  type SongBlockParameters,
  songBlock,
  songConvolution,
  songGroups,
  songLinear,
} from './layers/song-block.ts';
import { timeEmbedding } from './layers/time-embedding.ts';
import { checkInputs, type Model } from './model.ts';
import type { TensorsOf } from './parameters.ts';

export interface SongUnetOptions {
  /** [channels, height, width] of one sample; height and width are multiples of 2^(levels - 1). */
  readonly shape: readonly [number, number, number];
  /** Channels that the multipliers multiply; also the number of sinusoidal features of time. */
  readonly channels: number;
  /** Channels of each level, from the full size down, in units of `channels`. */
  readonly multipliers: readonly number[];
  /** Residual blocks of a level on the way down; one more on the way up. */
  readonly blocks: number;
  /** Heights of the feature maps with attention: after each block on the way down, after the last one on the way up. */
  readonly attentionResolutions: readonly number[];
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /**
   * Factor on time before its sinusoidal features. Default 1000. 1 with EDM preconditioning, where `time` is c_noise = ln(sigma) / 4
   * [karras:22, table 1].
   */
  readonly timeScale?: number;
  /** Default `SongUNet-<channels>-[<multipliers>]`. */
  readonly name?: string;
}

type SongConditionParameters = {
  readonly time: readonly [LinearParameters, LinearParameters];
  /** From a one-hot label to the features of time: [channels, classes]. */
  readonly label?: LinearParameters;
};

type StageParameters = {
  /** The block that changes the size in front of the others, but at the level where a direction begins. */
  readonly resize?: SongBlockParameters;
  readonly blocks: readonly SongBlockParameters[];
};

export type SongUnetParameters = {
  readonly condition: SongConditionParameters;
  readonly input: ConvolutionParameters;
  /** From the full size to the smallest. */
  readonly down: readonly StageParameters[];
  readonly middle: readonly [SongBlockParameters, SongBlockParameters];
  /** From the smallest size to the full. */
  readonly up: readonly StageParameters[];
  readonly norm: NormParameters;
  readonly output: ConvolutionParameters;
};

function checkOptions({ shape, multipliers, attentionResolutions }: SongUnetOptions): void {
  const where = 'models/song-unet';
  const unit = 2 ** (multipliers.length - 1);
  if (shape[1] % unit !== 0 || shape[2] % unit !== 0) {
    const expected = `height and width to be multiples of ${unit} for ${multipliers.length} levels`;
    throw new ConfigError({ expected, got: `[${shape.join(', ')}]`, where });
  }
  const heights = multipliers.map((_, level) => shape[1] / 2 ** level);
  if (attentionResolutions.every((height) => heights.includes(height))) return;
  const expected = `\`attentionResolutions\` among the heights [${heights.join(', ')}] of the levels`;
  throw new ConfigError({ expected, got: `[${attentionResolutions.join(', ')}]`, where });
}

/**
 * What the blocks are told: silu(L2 silu(L1 (sines and cosines of time + linear in the label))), [batch, 4 channels]. A label is a
 * one-hot vector of mean square 1; the null class is the vector of zeros.
 */
function songCondition({ channels, classes, timeScale = 1000 }: SongUnetOptions) {
  const first = songLinear(channels, 4 * channels);
  const second = songLinear(4 * channels, 4 * channels);
  const label = classes === null ? null : songLinear(classes, channels);
  const parameters: SongConditionParameters = {
    time: [first.parameters, second.parameters],
    ...(label === null ? {} : { label: label.parameters }),
  };
  const told = (tensors: TensorsOf<LinearParameters>, labels: Tensor | null, dtype: Tensor['dtype']) => {
    if (classes === null || labels === null) return tensors.bias;
    const vectors = multiply(oneHot(labels, classes, dtype), Math.sqrt(classes)); // [batch, classes]
    return add(matmul(vectors, tensors.weight, { transposeB: true }), tensors.bias);
  };
  return {
    parameters,
    apply(tensors: TensorsOf<SongConditionParameters>, { time, labels }: { time: Tensor; labels: Tensor | null }) {
      const features = timeEmbedding(time, channels, { timeScale, endpoint: true, sinesFirst: true });
      const both = tensors.label === undefined ? features : add(features, told(tensors.label, labels, time.dtype));
      return silu(second.apply(tensors.time[1], silu(first.apply(tensors.time[0], both))));
    },
  };
}

type SongBlock = Layer<SongBlockParameters, ConditionedMap>;

interface Stage {
  readonly resize: SongBlock | null;
  readonly blocks: readonly SongBlock[];
}

function stageParameters({ resize, blocks }: Stage): StageParameters {
  return {
    ...(resize === null ? {} : { resize: resize.parameters }),
    blocks: blocks.map((block) => block.parameters),
  };
}

/** Blocks of both directions. Every map on the way down, those of the first convolution and of the resizing too, meets a block on the way up. */
function createStages({ shape, channels, multipliers, blocks, attentionResolutions }: SongUnetOptions) {
  const features = 4 * channels;
  const attends = (level: number) => attentionResolutions.includes(shape[1] / 2 ** level);
  let current = channels;
  const saved = [current];
  const downward = multipliers.map((multiplier, level): Stage => {
    const resize = level === 0 ? null : songBlock(current, current, { features, resize: 'down' });
    if (resize !== null) saved.push(current);
    const stage = Array.from({ length: blocks }, () => {
      const block = songBlock(current, multiplier * channels, { features, attention: attends(level) });
      current = multiplier * channels;
      saved.push(current);
      return block;
    });
    return { resize, blocks: stage };
  });
  const middle = [
    songBlock(current, current, { features, attention: true }),
    songBlock(current, current, { features }),
  ] as const;
  const upward = multipliers.toReversed().map((multiplier, step): Stage => {
    const level = multipliers.length - 1 - step;
    const resize = step === 0 ? null : songBlock(current, current, { features, resize: 'up' });
    const stage = Array.from({ length: blocks + 1 }, (_, i) => {
      const inputs = current + (saved.pop() as number); // one map was saved for each block of the way up
      current = multiplier * channels;
      return songBlock(inputs, current, { features, attention: i === blocks && attends(level) });
    });
    return { resize, blocks: stage };
  });
  return { downward, middle, upward, last: current };
}

type Stages = ReturnType<typeof createStages>;

/** Down, through the middle and up again, from the first map to the last. */
function applyStages(
  { downward, middle, upward }: Stages,
  tensors: Pick<TensorsOf<SongUnetParameters>, 'down' | 'middle' | 'up'>,
  { x, condition }: ConditionedMap,
  callBlock: CallBlock,
): Tensor {
  let h = x;
  const saved: Tensor[] = [h];
  const apply = (block: SongBlock, own: TensorsOf<SongBlockParameters>, map: Tensor, skip: Tensor | null = null) =>
    callBlock((y) => block.apply(own, { x: skip === null ? y : concat([y, skip], 1), condition }), map);
  for (const [level, stage] of downward.entries()) {
    const own = tensors.down[level];
    if (stage.resize !== null && own.resize !== undefined) {
      h = apply(stage.resize, own.resize, h);
      saved.push(h);
    }
    for (const [i, block] of stage.blocks.entries()) {
      h = apply(block, own.blocks[i], h);
      saved.push(h);
    }
  }
  for (const [i, block] of middle.entries()) h = apply(block, tensors.middle[i], h);
  for (const [step, stage] of upward.entries()) {
    const own = tensors.up[step];
    if (stage.resize !== null && own.resize !== undefined) h = apply(stage.resize, own.resize, h);
    for (const [i, block] of stage.blocks.entries()) {
      h = apply(block, own.blocks[i], h, saved.pop());
    }
  }
  return h;
}

/**
 * The U-Net of DDPM++ [song:21] as [karras:22] train it: residual blocks that also change the size, sums divided by sqrt(2), attention
 * with one head, labels as one-hot vectors. The output starts as almost zero.
 *
 * As a flow model it predicts velocities at times in [0, 1]; as the network F of EDM preconditioning `apply` is given c_in x and
 * c_noise with `timeScale` 1.
 * @throws ConfigError if the levels do not divide height and width, or none has a height of `attentionResolutions`.
 */
export function songUnet(options: SongUnetOptions): Model {
  checkOptions(options);
  const { shape, channels, multipliers, classes } = options;
  const { name = `SongUNet-${channels}-[${multipliers.join(',')}]` } = options;
  const condition = songCondition(options);
  const input = songConvolution(shape[0], channels);
  const stages = createStages(options);
  const norm = groupNormLayer(stages.last, songGroups(stages.last), { epsilon: SONG_EPSILON });
  const output = lastSongConvolution(stages.last, shape[0]);
  const parameters: SongUnetParameters = {
    condition: condition.parameters,
    input: input.parameters,
    down: stages.downward.map(stageParameters),
    middle: [stages.middle[0].parameters, stages.middle[1].parameters],
    up: stages.upward.map(stageParameters),
    norm: norm.parameters,
    output: output.parameters,
  };
  const facts = { name, parameters, predicts: 'velocity', input: { shape }, classes } as const;
  return {
    ...facts,
    apply(tensors: TensorsOf<SongUnetParameters>, inputs, { rematerialise = 'nothing' } = {}) {
      checkInputs(facts, inputs);
      const told = condition.apply(tensors.condition, inputs);
      const x = input.apply(tensors.input, inputs.x);
      const last = applyStages(stages, tensors, { x, condition: told }, blockCalls[rematerialise]);
      return output.apply(tensors.output, silu(norm.apply(tensors.norm, last)));
    },
  };
}

/** The DDPM++ networks of [matityahu:24], table 6, which are those of [karras:22]. */
export const songUnets = {
  cifar10: { shape: [3, 32, 32], channels: 128, multipliers: [2, 2, 2], blocks: 4, attentionResolutions: [16] },
  afhq64: { shape: [3, 64, 64], channels: 128, multipliers: [1, 2, 2, 2], blocks: 4, attentionResolutions: [16] },
} as const satisfies Readonly<Record<string, Omit<SongUnetOptions, 'classes'>>>;
