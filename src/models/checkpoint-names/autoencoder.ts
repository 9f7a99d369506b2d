import { type AutoencoderOptions, attentionLevels } from '../autoencoder.ts';
import { asConvolution, type CheckpointMap, listNames, type NameList } from '../checkpoint-map.ts';

/**
 * Names of the public checkpoints of [esser:21] and of the autoencoders of latent diffusion, for the networks of `vq-vae.ts` and
 * `kl-autoencoder.ts`. Their losses (`loss.*`: discriminator, perceptual network) stand in the same files and are not listed here.
 */
export function autoencoderCheckpoint(options: AutoencoderOptions): CheckpointMap {
  return {
    toExternal: (tree) =>
      listNames(tree, (names) => {
        nameEncoder(names, options);
        names.layer('toLatents', 'quant_conv');
        if (names.has('codebook')) names.same('codebook', 'quantize.embedding.weight');
        names.layer('fromLatents', 'post_quant_conv');
        nameDecoder(names, options);
      }),
  };
}

function nameEncoder(names: NameList, options: AutoencoderOptions): void {
  const last = options.multipliers.length - 1;
  for (const level of options.multipliers.keys()) {
    const stage = { own: `encoder.stages.${level}`, external: `encoder.down.${level}` };
    nameStage(names, { ...stage, blocks: options.blocks, attends: attentionLevels(options).includes(level) });
    if (level < last) names.layer(`${stage.own}.resample`, `${stage.external}.downsample.conv`);
  }
  nameEnds(names, 'encoder');
}

function nameDecoder(names: NameList, options: AutoencoderOptions): void {
  const last = options.multipliers.length - 1;
  for (const step of options.multipliers.keys()) {
    const level = last - step;
    const stage = { own: `decoder.stages.${step}`, external: `decoder.up.${level}` };
    nameStage(names, { ...stage, blocks: options.blocks + 1, attends: attentionLevels(options).includes(level) });
    if (level > 0) names.layer(`${stage.own}.resample`, `${stage.external}.upsample.conv`);
  }
  nameEnds(names, 'decoder');
}

/** First and last layers, and the middle. */
function nameEnds(names: NameList, coder: 'encoder' | 'decoder'): void {
  names.layer(`${coder}.input`, `${coder}.conv_in`);
  nameBlock(names, `${coder}.middle.blocks.0`, `${coder}.mid.block_1`);
  nameAttention(names, `${coder}.middle.attention.0`, `${coder}.mid.attn_1`);
  nameBlock(names, `${coder}.middle.blocks.1`, `${coder}.mid.block_2`);
  names.norm(`${coder}.norm`, `${coder}.norm_out`);
  names.layer(`${coder}.output`, `${coder}.conv_out`);
}

interface Stage {
  readonly own: string;
  readonly external: string;
  readonly blocks: number;
  readonly attends: boolean;
}

function nameStage(names: NameList, { own, external, blocks, attends }: Stage): void {
  for (let i = 0; i < blocks; i++) {
    nameBlock(names, `${own}.blocks.${i}`, `${external}.block.${i}`);
    if (attends) nameAttention(names, `${own}.attention.${i}`, `${external}.attn.${i}`);
  }
}

function nameBlock(names: NameList, own: string, external: string): void {
  names.norm(`${own}.norm1`, `${external}.norm1`);
  names.layer(`${own}.convolution1`, `${external}.conv1`);
  names.norm(`${own}.norm2`, `${external}.norm2`);
  names.layer(`${own}.convolution2`, `${external}.conv2`);
  if (names.has(`${own}.skip.weight`)) names.layer(`${own}.skip`, `${external}.nin_shortcut`);
}

function nameAttention(names: NameList, own: string, external: string): void {
  names.norm(`${own}.norm`, `${external}.norm`);
  names.layer(`${own}.query`, `${external}.q`, asConvolution(2));
  names.layer(`${own}.key`, `${external}.k`, asConvolution(2));
  names.layer(`${own}.value`, `${external}.v`, asConvolution(2));
  names.layer(`${own}.output`, `${external}.proj_out`, asConvolution(2));
}
