import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import {
  type ClosedFormPart,
  type ClosedFormRequest,
  closedFormParts,
  memorisedBelow,
} from '../experiments/closed-form-request.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { closedFormLines } from './closed-form-text.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, showEvent } from './progress.ts';
import { addSharedFlags, integerFlag, numberFlag, printSettings, type SharedFlags } from './shared-flags.ts';

interface ClosedFormFlags extends SharedFlags {
  readonly run?: string;
  readonly parts?: readonly ClosedFormPart[];
  readonly size?: number;
  readonly sizes?: readonly number[];
  readonly count?: number;
  readonly pairs: number;
  readonly times: number;
  readonly errorTimes: number;
  readonly samples: number;
  readonly switches: readonly number[];
  readonly threshold: number;
  readonly ema: boolean;
  readonly out?: string;
}

type Settings = Omit<ClosedFormRequest, 'signal' | 'onEvent'>;

/** Times of the switch as in [bertrand:25], figure 3. */
const usualSwitches = Array.from({ length: 11 }, (_, k) => k / 10);

/** `analyze closed-form [data]`: the exact field of data, and a trained network beside it. */
export function analyzeClosedFormCommand(context: CommandContext): Command {
  const command = new Command('closed-form')
    .description('compare the exact field of a data set with single pairs, and with a trained network')
    .argument('[data]', "fashion, portraits, the name of a density, or a path (default: the run's training data)")
    .option('--run <folder>', 'folder of a run, or of its checkpoint, for the parts that need a trained network')
    .option(
      '--parts <list>',
      `parts of the analysis: ${closedFormParts.join(',')} (default: all that are possible)`,
      partsFlag,
    )
    .option('--size <pixels>', 'height and width that images are brought to', integerFlag(1))
    .option(
      '--sizes <list>',
      'sizes for the alignment (default: 8, 16, 32, 64, ..., and that of the images)',
      sizesFlag,
    )
    .option('--count <n>', 'data from the start of the set (default: all)', integerFlag(1))
    .option('--pairs <n>', 'pairs of noise and datum, for alignment and error', integerFlag(2), 256)
    .option('--times <n>', 'times k/n of the alignment', integerFlag(1), 100)
    .option('--error-times <n>', 'times k/n of the error', integerFlag(1), 20)
    .option(
      '--samples <n>',
      'samples of the network and of hybrid flows, with seeds from --seed on',
      integerFlag(2),
      64,
    )
    .option('--switches <list>', 'times tau at which hybrid flows change to the network', switchesFlag, usualSwitches)
    .option('--threshold <ratio>', 'ratio of distances below which a sample is memorised', numberFlag, memorisedBelow)
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option(
      '--out <folder>',
      'folder of the results (default: analysis/, in the folder of the run where there is one)',
    );
  return addSharedFlags(command).action(async (data: string | undefined, flags: ClosedFormFlags) => {
    const settings = settingsOf(data ?? null, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await analyzeAndShow(context, settings, json);
  });
}

function settingsOf(data: string | null, flags: ClosedFormFlags): Settings {
  const { run = null, parts, size = null, sizes = null, count = null, seed = 0, out, ...rest } = flags;
  const { pairs, times, errorTimes, samples, switches, threshold, ema } = rest;
  return {
    data,
    run,
    parts: parts ?? (run === null ? ['alignment'] : closedFormParts),
    size,
    sizes,
    count,
    ...{ pairs, times, errorTimes, samples, switches, threshold, ema, seed },
    outDirectory: out ?? (run === null ? 'analysis' : join(runFolderOf(run), 'analysis')),
  };
}

async function analyzeAndShow({ terminal, runner }: CommandContext, settings: Settings, json: boolean): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.analyzeClosedForm({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  ).finally(() => progress.end());
  for (const line of closedFormLines(outcome)) terminal.out(line);
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify(outcome));
}

function partsFlag(text: string): readonly ClosedFormPart[] {
  const names = text.split(',');
  const stray = names.find((name) => !closedFormParts.some((part) => part === name));
  if (stray === undefined) return closedFormParts.filter((part) => names.includes(part));
  throw new InvalidArgumentError(`Expected some of ${closedFormParts.join(',')}; got ${JSON.stringify(stray)}.`);
}

/** Numbers separated by commas, ascending, that pass a test. */
function ascendingList(text: string, isFit: (value: number) => boolean): readonly number[] | null {
  const values = text.split(',').map((one) => (one.trim() === '' ? Number.NaN : Number(one)));
  return values.every((value, i) => isFit(value) && value > (values[i - 1] ?? -1)) ? values : null;
}

function sizesFlag(text: string): readonly number[] {
  const sizes = ascendingList(text, (size) => Number.isInteger(size) && size > 0);
  if (sizes !== null) return sizes;
  throw new InvalidArgumentError('Expected increasing sizes in pixels such as 8,16,32.');
}

function switchesFlag(text: string): readonly number[] {
  const switches = ascendingList(text, (time) => time >= 0 && time <= 1);
  if (switches !== null) return switches;
  throw new InvalidArgumentError('Expected increasing times in [0, 1] such as 0,0.3,1.');
}
