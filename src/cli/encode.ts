import { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import type { EncodeOutcome, EncodeSettings } from '../experiments/encode-request.ts';
import { readEncodeSettings } from '../experiments/encode-settings.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import { addSharedFlags, printSettings, repeatedFlag, type SharedFlags } from './shared-flags.ts';

interface EncodeFlags extends SharedFlags {
  readonly with?: string;
  readonly out?: string;
  readonly dtype: string;
  readonly flips?: true;
  readonly set: readonly string[];
}

/** `encode <data> --with <autoencoder>`: latents of a whole data set, for trainings on them. */
export function encodeCommand(context: CommandContext): Command {
  const command = new Command('encode')
    .description('encode images by a trained autoencoder; goes on where it was interrupted')
    .argument('[data]', 'a preset, a config file, or images as data.source (default: those of the autoencoder)')
    .option('--with <run>', 'folder of the run of the autoencoder, or of one of its checkpoints')
    .option('--out <folder>', "folder of the latents (default: in the user's cache, where trainings look)")
    .option('--dtype <type>', 'float16 or float32, how latents are stored', 'float16')
    .option('--flips', 'encode training images mirrored, too (default: as data.flip)')
    .option(
      '--set <path=value>',
      'change a setting of the data, such as data.size=64; may be repeated',
      repeatedFlag,
      [],
    );
  return addSharedFlags(command).action(async (source: string | undefined, flags: EncodeFlags) => {
    const { json = false, dryRun = false } = flags;
    const settings = settingsOf(source, flags);
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await encodeAndShow(context, settings, json);
  });
}

function settingsOf(source: string | undefined, { with: autoencoder, out, dtype, flips, set }: EncodeFlags) {
  if (autoencoder === undefined) {
    const remedy = '`flowloom encode portraits --with runs/1-portraits-vq`';
    throw new ConfigError({ expected: '--with the run of an autoencoder', got: 'none', where: 'encode', remedy });
  }
  return readEncodeSettings({
    source: source ?? null,
    autoencoder,
    folder: out ?? null,
    dtype,
    flips: flips ?? false,
    set,
  });
}

async function encodeAndShow({ terminal, runner }: CommandContext, settings: EncodeSettings, json: boolean) {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.encode({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  for (const line of encodingLines(outcome)) terminal.out(line);
  if (json) terminal.out(JSON.stringify(outcome));
}

/** Results as lines of two columns: what, and its value. */
export function encodingLines({ folder, encoder, dtype, flips, shape, normalization, parts, seconds }: EncodeOutcome) {
  const numbers = (values: readonly number[]) => values.map((value) => value.toPrecision(4)).join(', ');
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [
    `latents      ${shape.join(' x ')} ${dtype}${flips ? ', mirrored images too' : ''}`,
    ...parts.map(({ part, images, bytes }) => `${part.padEnd(12)} ${images} images, ${mebibytes(bytes)}`),
    `mean         ${numbers(normalization.mean)}`,
    `deviation    ${numbers(normalization.deviation)}`,
    `encoder      ${encoder}`,
    `folder       ${folder}`,
    `in           ${formatDuration(seconds)}`,
  ];
}
