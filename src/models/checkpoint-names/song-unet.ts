import { asConvolution, type CheckpointMap, listNames, type NameList } from '../checkpoint-map.ts';
import type { SongUnetOptions } from '../song-unet.ts';

export interface SongCheckpointOptions {
  /** Labels of augmentation that the published network also reads, 9 in CIFAR-10's; `null` for none. All zero outside its training. */
  readonly augmentLabels: number | null;
}

type Plan = Pick<SongUnetOptions, 'shape' | 'channels' | 'multipliers' | 'blocks' | 'attentionResolutions' | 'classes'>;

/** Names of the state of the networks published with [karras:22], under the `model.` of their preconditioning. */
export function songUnetCheckpoint(plan: Plan, { augmentLabels }: SongCheckpointOptions): CheckpointMap {
  return { toExternal: (tree) => listNames(tree, (names) => nameAll(names, { ...plan, augmentLabels })) };
}

function nameAll(names: NameList, plan: Plan & SongCheckpointOptions): void {
  const { shape, channels, multipliers, blocks, classes, augmentLabels } = plan;
  if (classes !== null) names.layer('condition.label', 'model.map_label');
  if (augmentLabels !== null) {
    names.fixed(
      'model.map_augment.weight',
      [channels, augmentLabels],
      () => new Float32Array(channels * augmentLabels),
    );
  }
  names.layer('condition.time.0', 'model.map_layer0');
  names.layer('condition.time.1', 'model.map_layer1');
  const last = multipliers.length - 1;
  const square = (level: number) => `${shape[1] / 2 ** level}x${shape[1] / 2 ** level}`;
  names.layer('input', `model.enc.${square(0)}_conv`);
  for (const level of multipliers.keys()) {
    const external = `model.enc.${square(level)}`;
    if (level > 0) nameResizing(names, `down.${level}.resize`, `${external}_down`);
    for (let i = 0; i < blocks; i++) nameBlock(names, `down.${level}.blocks.${i}`, `${external}_block${i}`);
  }
  for (const i of [0, 1]) nameBlock(names, `middle.${i}`, `model.dec.${square(last)}_in${i}`);
  for (const step of multipliers.keys()) {
    const external = `model.dec.${square(last - step)}`;
    if (step > 0) nameResizing(names, `up.${step}.resize`, `${external}_up`);
    for (let i = 0; i <= blocks; i++) nameBlock(names, `up.${step}.blocks.${i}`, `${external}_block${i}`);
  }
  names.norm('norm', `model.dec.${square(0)}_aux_norm`);
  names.layer('output', `model.dec.${square(0)}_aux_conv`);
}

/** A block that halves or doubles; the published one keeps the filter of its resampling, a mean of 2 x 2 pixels. */
function nameResizing(names: NameList, own: string, external: string): void {
  nameBlock(names, own, external);
  for (const part of ['conv0', 'skip']) {
    names.fixed(`${external}.${part}.resample_filter`, [1, 1, 2, 2], () => new Float32Array(4).fill(0.25));
  }
}

function nameBlock(names: NameList, own: string, external: string): void {
  names.norm(`${own}.norm1`, `${external}.norm0`);
  names.layer(`${own}.convolution1`, `${external}.conv0`);
  names.layer(`${own}.modulation`, `${external}.affine`);
  names.norm(`${own}.norm2`, `${external}.norm1`);
  names.layer(`${own}.convolution2`, `${external}.conv1`);
  if (names.has(`${own}.skip.weight`)) names.layer(`${own}.skip`, `${external}.skip`);
  if (!names.has(`${own}.attention.norm.scale`)) return;
  names.norm(`${own}.attention.norm`, `${external}.norm2`);
  names.joint(`${own}.attention`, `${external}.qkv`, { rows: 1, axes: 2 });
  names.layer(`${own}.attention.output`, `${external}.proj`, asConvolution(2));
}
