import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type BoundedRun, type BoundsRequest, type PointsKind, pointsKinds } from '../experiments/bounds-request.ts';
import { reviseConfig } from '../experiments/read-config.ts';
import { readRunConfig } from '../experiments/run-directory.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { boundsLines } from './bounds-text.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, showEvent } from './progress.ts';
import { addSharedFlags, integerFlag, printSettings, repeatedFlag, type SharedFlags } from './shared-flags.ts';

interface BoundsFlags extends SharedFlags {
  readonly points: PointsKind;
  readonly times: number;
  readonly samples: number;
  readonly jacobians: number;
  readonly tolerance: number;
  readonly iterations: number;
  readonly matched: number;
  readonly reference?: string;
  readonly lipschitzFrom?: string;
  readonly set: readonly string[];
  readonly ema: boolean;
  readonly out?: string;
}

type Settings = Omit<BoundsRequest, 'signal' | 'onEvent'>;

/** `analyze bounds <run...>`: how far what runs generate may be from what the exact field of the data would. */
export function analyzeBoundsCommand(context: CommandContext): Command {
  const command = new Command('bounds')
    .description('bound the distance W2 between what runs generate and what the exact field of the data would')
    .argument('<run...>', 'folders of runs, or of their checkpoints')
    .addOption(
      new Option('--points <kind>', 'data of which points are made: held-out as the paper, training as the theorem')
        .choices(pointsKinds)
        .default('held-out'),
    )
    // Defaults with which the preset fashion-unet takes below two minutes on two cores.
    .option('--times <n>', 'times, the middles of equal intervals of [0, 1]', integerFlag(1), 10)
    .option('--samples <n>', 'points at each time whose velocity error is measured', integerFlag(2), 256)
    .option(
      '--jacobians <n>',
      'points at each time whose spectral norm is measured: these are expensive',
      integerFlag(1),
      64,
    )
    .option('--tolerance <share>', 'relative residual at which a spectral norm counts as found', shareFlag, 0.02)
    .option('--iterations <n>', 'products for a spectral norm at most', integerFlag(1), 200)
    .option('--matched <n>', 'samples of the same noise by which runs are compared; 0: none', integerFlag(0), 64)
    .option('--reference <run>', 'run whose data make points and exact field (default: the first)')
    .option(
      '--lipschitz-from <run>',
      'run whose Lipschitz constants all are given, as in the paper (default: each its own)',
    )
    .option('--set <path=value>', 'change another setting of the runs; may be repeated', repeatedFlag, [])
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option('--out <folder>', 'folder of the results (default: analysis/ in the folder of the first run)');
  return addSharedFlags(command).action(async (runs: readonly string[], flags: BoundsFlags) => {
    const settings = settingsOf(runs, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await analyzeAndShow(context, settings, json);
  });
}

function settingsOf(runs: readonly string[], flags: BoundsFlags): Settings {
  const { points, times, samples, jacobians, tolerance, iterations, seed = 0, ema, set } = flags;
  const bounded = runs.map((run) => boundedRun(run, set));
  return {
    runs: bounded,
    reference: flags.reference ?? runs[0]!,
    lipschitzFrom: flags.lipschitzFrom === undefined ? null : boundedRun(flags.lipschitzFrom, set),
    points,
    times,
    samples,
    jacobians: Math.min(jacobians, samples),
    tolerance,
    maxIterations: iterations,
    // One run is compared with none.
    matched: runs.length === 1 ? 0 : flags.matched,
    seed,
    ema,
    outDirectory: flags.out ?? join(runFolderOf(runs[0]!), 'analysis'),
  };
}

function boundedRun(directory: string, set: readonly string[]): BoundedRun {
  const { sampling, runtime } = reviseConfig(readRunConfig(runFolderOf(directory)), { set }, directory);
  return { directory, sampling, runtime };
}

async function analyzeAndShow({ terminal, runner }: CommandContext, settings: Settings, json: boolean): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.analyzeBounds({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  for (const line of boundsLines(outcome)) terminal.out(line);
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify(outcome));
}

function shareFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value < 1) return value;
  throw new InvalidArgumentError('Expected a number between 0 and 1.');
}
