/** Training of an autoencoder from the command line. */
import type { AutoencoderConfig } from '../experiments/autoencoder-config.ts';
import type { AutoencoderOutcome } from '../experiments/train-autoencoder.ts';
import type { CommandContext } from './context.ts';
import { valueText } from './evaluation-text.ts';
import { interruptedStatus, withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import { type FolderOrder, leaveNoEmptyFolder, lossText, twoColumns } from './train-and-show.ts';

/** Trains, and prints how near held-out pictures come to themselves; after an interrupt it says how to go on. */
export async function trainAutoencoderAndShow(
  context: CommandContext,
  { config, directory, resume, json }: FolderOrder & { readonly config: AutoencoderConfig },
): Promise<void> {
  const { terminal, runner } = context;
  const progress = createProgress(terminal);
  const onEvent = showEvent.bind(null, progress);
  progress.print(`${resume ? 'Resuming' : 'Training'} ${config.name} in ${directory}`);
  await withInterrupt(terminal, async (signal) => {
    const outcome = await runner
      .trainAutoencoder({ config, directory, resume, signal, onEvent })
      .catch(leaveNoEmptyFolder(directory));
    progress.end();
    if (outcome.interrupted) {
      context.setStatus(interruptedStatus);
      terminal.err(`Saved at ${outcome.imagesSeen} images. To go on: flowloom train --resume ${directory}\n`);
    } else {
      for (const line of autoencoderLines(outcome)) terminal.out(line);
    }
    if (json) terminal.out(JSON.stringify(outcome));
  });
}

/** Results as lines of two columns: what, and its value. */
export function autoencoderLines(outcome: AutoencoderOutcome): string[] {
  const { reconstruction, discriminatorParameterCount, latents, skippedImages, curve } = outcome;
  const discriminator =
    discriminatorParameterCount === 0 ? '' : `, and ${discriminatorParameterCount} of the discriminator`;
  return twoColumns([
    ['run', outcome.directory],
    [
      'trained',
      `${outcome.imagesSeen} images, in ${formatDuration(outcome.seconds)}; ${outcome.parameterCount} parameters${discriminator}`,
    ],
    ['latents', `${latents.join(' x ')} of a picture`],
    ...(reconstruction === null ? [] : reconstructionRows(reconstruction)),
    ...(skippedImages === 0 ? [] : [['unreadable images', `${skippedImages}, left out`] as const]),
    ...(curve === null ? [] : [['training curve', curve] as const]),
  ]);
}

function reconstructionRows(
  reconstruction: NonNullable<AutoencoderOutcome['reconstruction']>,
): (readonly [string, string])[] {
  const { untrained, psnr, ssim, codes, grid } = reconstruction;
  return [
    ['held-out loss', lossText(reconstruction)],
    ...(untrained === null ? [] : [['  untrained network', lossText(untrained)] as const]),
    ['PSNR', `${valueText(psnr)} dB`],
    ['SSIM', valueText(ssim)],
    ...(codes === null
      ? []
      : [['codes', `${codes.used} of ${codes.of} used, perplexity ${codes.perplexity.toFixed(1)}`] as const]),
    ['reconstructions', `${grid}, each row of originals above its own`],
    ['  PSNR is', psnr.convention],
    ['  SSIM is', ssim.convention],
  ];
}
