import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ConfigError } from '../errors.ts';
import type { CurvatureRequest, FlowRequest } from '../experiments/curvature-request.ts';
import { reviseConfig } from '../experiments/read-config.ts';
import { readRunConfig } from '../experiments/run-directory.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { chooseLabels, classesOf, solverOfEvaluations } from '../experiments/sample-plan.ts';
import type { CommandContext } from './context.ts';
import { curvatureLines } from './curvature-text.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, showEvent } from './progress.ts';
import {
  addSharedFlags,
  integerFlag,
  numberFlag,
  printSettings,
  repeatedFlag,
  type SharedFlags,
} from './shared-flags.ts';

interface CurvatureFlags extends SharedFlags {
  readonly samples: number;
  readonly intervals: number;
  readonly evaluations: readonly number[];
  readonly reference: number;
  readonly solver: string;
  readonly guidance: number;
  readonly label: readonly string[];
  readonly set: readonly string[];
  readonly ema: boolean;
  readonly out?: string;
}

type Settings = Omit<CurvatureRequest, 'signal' | 'onEvent'>;

/** `analyze curvature <run...>`: how straight the flows of trained runs are. */
export function analyzeCurvatureCommand(context: CommandContext): Command {
  const command = new Command('curvature')
    .description('measure how straight the flow of a run is, and what few evaluations cost; several runs side by side')
    .argument('<run...>', 'folders of runs, or of their checkpoints')
    // 1,000 trajectories as in [davtyan:25]; intervals and references so that the preset fashion-unet takes below two minutes on two cores.
    .option('--samples <n>', 'trajectories, with seeds from --seed on', integerFlag(2), 1000)
    .option('--intervals <n>', 'intervals of time between whose ends velocities are compared', integerFlag(1), 20)
    .option(
      '--evaluations <list>',
      'evaluations of the model at which the solver error is measured',
      listFlag,
      [2, 4, 8, 12],
    )
    .option('--reference <n>', 'samples whose solver error is measured: these are expensive', integerFlag(2), 100)
    .option('--solver <name>', 'solver with fixed steps, of trajectories and of solver errors', 'midpoint')
    .option(
      '--label <class>',
      'number or name of a class; repeated ones take turns (default: all classes)',
      repeatedFlag,
      [],
    )
    .option('--guidance <w>', 'weight of the label; 1 is none', numberFlag, 1)
    .option('--set <path=value>', 'change another setting of the runs; may be repeated', repeatedFlag, [])
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option('--out <folder>', 'folder of the results (default: analysis/ in the folder of the first run)');
  return addSharedFlags(command).action(async (runs: readonly string[], flags: CurvatureFlags) => {
    const settings = await settingsOf(runs, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await analyzeAndShow(context, settings, json);
  });
}

async function settingsOf(runs: readonly string[], flags: CurvatureFlags): Promise<Settings> {
  const { samples, reference, ema, seed = 0, out } = flags;
  const requests: FlowRequest[] = [];
  for (const run of runs) requests.push(await requestOf(run, flags));
  return {
    runs: requests,
    firstSeed: seed,
    samples,
    referenceSamples: Math.min(reference, samples),
    ema,
    outDirectory: out ?? join(runFolderOf(runs[0]!), 'analysis'),
  };
}

async function requestOf(run: string, flags: CurvatureFlags): Promise<FlowRequest> {
  const { solver, intervals, evaluations, guidance, label, set, samples } = flags;
  if (solver === 'dopri5') {
    throw new ConfigError({
      expected: 'a solver with fixed steps, whose evaluations can be given',
      got: solver,
      where: 'analyze curvature',
      remedy: 'midpoint; the reference is by dopri5 in any case',
    });
  }
  const changes = [
    `sampling.solver.kind=${JSON.stringify(solver)}`,
    `sampling.solver.steps=${intervals}`,
    'sampling.solver.grid.kind=uniform',
    `sampling.guidance=${guidance === 1 ? null : guidance}`,
  ];
  const config = reviseConfig(readRunConfig(runFolderOf(run)), { set: [...changes, ...set] }, run);
  const { sampling, runtime } = config;
  return {
    directory: run,
    labels: label.length === 0 ? null : chooseLabels({ labels: label, count: samples }, await classesOf(config)),
    sampling,
    solverErrors: evaluations.map((count) => ({ evaluations: count, solver: solverOfEvaluations(count, sampling) })),
    runtime,
  };
}

async function analyzeAndShow({ terminal, runner }: CommandContext, settings: Settings, json: boolean): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.analyzeCurvature({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  for (const line of curvatureLines(outcome)) terminal.out(line);
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify(outcome));
}

function listFlag(text: string): readonly number[] {
  const counts = text.split(',').map(Number);
  const ascending = counts.every((count, i) => Number.isInteger(count) && count > (counts[i - 1] ?? 0));
  if (/^\d+(,\d+)*$/.test(text) && ascending) return counts;
  throw new InvalidArgumentError('Expected increasing integers such as 2,4,8,12.');
}
