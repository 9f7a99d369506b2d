import { ConfigError } from '../../errors.ts';
import { asConvolution, type CheckpointMap, listNames, type NameList } from '../checkpoint-map.ts';
import type { UnetOptions } from '../unet.ts';

export interface AdmCheckpointOptions {
  /**
   * Order of the rows of the joint weight of queries, keys and values. `head`: all three of a head, head by head, the default of the
   * published code. `kind`: all queries, all keys, all values ("new attention order"), as in its ImageNet 64 x 64 checkpoint.
   */
  readonly attentionRows: 'head' | 'kind';
  /**
   * Whether the label table has a last row for the null class, as that of a network with one class more. Public checkpoints have none:
   * ours is then read as zeros, a label that adds nothing to the embedding of time. Such a network was never trained without a label.
   */
  readonly nullLabel: boolean;
}

/** The published name of the label table. */
export const ADM_LABEL_TABLE = 'label_emb.weight';

type Plan = Pick<
  UnetOptions,
  'channels' | 'blocks' | 'attention' | 'headChannels' | 'classes' | 'skips' | 'middle' | 'resample' | 'patch'
>;

/**
 * Names of the public checkpoints of the improved U-Net [dhariwal:21], which the networks of [davtyan:25] share.
 * @throws ConfigError unless the network is such a U-Net.
 */
export function admUnetCheckpoint(plan: Plan, options: AdmCheckpointOptions): CheckpointMap {
  const { skips, middle, resample, patch = 1 } = plan;
  if (skips !== 'all' || !middle || patch !== 1 || !(resample === 'convolution' || resample === 'residual')) {
    throw new ConfigError({
      expected:
        'a U-Net with `skips` all, `middle`, `patch` 1 and `resample` convolution or residual, for names of ADM',
      got: `skips ${skips}, middle ${middle}, patch ${patch}, resample ${resample}`,
      where: 'models/checkpoint-names/adm-unet',
    });
  }
  return { toExternal: (tree) => listNames(tree, (names) => nameAll(names, { ...plan, ...options })) };
}

type Context = Plan & AdmCheckpointOptions;

function nameAll(names: NameList, context: Context): void {
  const { channels, blocks, attention, classes, nullLabel } = context;
  names.layer('condition.time.0', 'time_embed.0');
  names.layer('condition.time.1', 'time_embed.2');
  if (classes !== null && nullLabel) names.same('condition.label.table', ADM_LABEL_TABLE);
  if (classes !== null && !nullLabel) names.allButLastRow('condition.label.table', ADM_LABEL_TABLE);
  names.layer('input', 'input_blocks.0.0');
  const last = channels.length - 1;
  let next = 1;
  for (const level of channels.keys()) {
    for (let i = 0; i < blocks; i++) {
      nameStage(names, context, { own: `down.${level}`, index: i, level, external: `input_blocks.${next++}` });
    }
    if (level < last)
      nameResample(names, context, {
        own: `down.${level}.resample`,
        external: `input_blocks.${next++}.0`,
        convolution: 'op',
      });
  }
  nameBlock(names, 'middle.blocks.0', 'middle_block.0');
  nameAttention(names, context, { own: 'middle.attention.0', external: 'middle_block.1', width: channels[last] });
  nameBlock(names, 'middle.blocks.1', 'middle_block.2');
  next = 0;
  for (const step of channels.keys()) {
    const level = last - step;
    for (let i = 0; i <= blocks; i++) {
      nameStage(names, context, { own: `up.${step}`, index: i, level, external: `output_blocks.${next++}` });
    }
    const place = attention.includes(level) ? 2 : 1; // behind the last block of the level and its attention
    if (level > 0)
      nameResample(names, context, {
        own: `up.${step}.resample`,
        external: `output_blocks.${next - 1}.${place}`,
        convolution: 'conv',
      });
  }
  names.norm('norm', 'out.0');
  names.layer('output', 'out.2');
}

interface Stage {
  readonly own: string;
  readonly index: number;
  readonly level: number;
  readonly external: string;
}

/** A residual block and its attention. */
function nameStage(names: NameList, context: Context, { own, index, level, external }: Stage): void {
  nameBlock(names, `${own}.blocks.${index}`, `${external}.0`);
  if (!context.attention.includes(level)) return;
  const attention = { own: `${own}.attention.${index}`, external: `${external}.1`, width: context.channels[level] };
  nameAttention(names, context, attention);
}

function nameBlock(names: NameList, own: string, external: string): void {
  names.norm(`${own}.norm1`, `${external}.in_layers.0`);
  names.layer(`${own}.convolution1`, `${external}.in_layers.2`);
  names.layer(`${own}.modulation`, `${external}.emb_layers.1`);
  names.norm(`${own}.norm2`, `${external}.out_layers.0`);
  names.layer(`${own}.convolution2`, `${external}.out_layers.3`);
  if (names.has(`${own}.skip.weight`)) names.layer(`${own}.skip`, `${external}.skip_connection`);
}

interface Attention {
  readonly own: string;
  readonly external: string;
  /** Channels. */
  readonly width: number;
}

function nameAttention(names: NameList, context: Context, { own, external, width }: Attention): void {
  const rows = context.attentionRows === 'head' ? context.headChannels : width;
  names.norm(`${own}.norm`, `${external}.norm`);
  names.joint(own, `${external}.qkv`, { rows, axes: 1 });
  names.layer(`${own}.output`, `${external}.proj_out`, asConvolution(1));
}

interface Resampling {
  readonly own: string;
  readonly external: string;
  /** Name of the convolution, where a convolution changes the size. */
  readonly convolution: string;
}

function nameResample(names: NameList, context: Context, { own, external, convolution }: Resampling): void {
  if (context.resample === 'residual') nameBlock(names, own, external);
  else names.layer(own, `${external}.${convolution}`);
}
