import { join } from 'node:path';
import { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import type { RunConfig } from '../experiments/config.ts';
import { reviseConfig } from '../experiments/read-config.ts';
import { readRunConfig } from '../experiments/run-directory.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import type { SampleRequest } from '../experiments/run-types.ts';
import { chooseLabels, classesOf, stepsFor } from '../experiments/sample-plan.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import {
  addSharedFlags,
  integerFlag,
  numberFlag,
  printSettings,
  repeatedFlag,
  type SharedFlags,
  seedsFlag,
} from './shared-flags.ts';

interface SampleFlags extends SharedFlags {
  readonly count?: number;
  readonly seeds?: readonly number[];
  readonly label: readonly string[];
  readonly solver?: string;
  readonly steps?: number;
  readonly evaluations?: number;
  readonly tolerance?: number;
  readonly guidance?: number;
  readonly set: readonly string[];
  readonly ema: boolean;
  readonly grid?: string;
  readonly columns?: number;
  readonly trajectory?: string;
  readonly images?: string;
  readonly arrays?: string;
}

const defaultCount = 64;

/** `sample <run>`: makes samples with a trained run. */
export function sampleCommand(context: CommandContext): Command {
  const command = new Command('sample')
    .description('make samples with a trained run; sample s is a function of seed s alone')
    .argument('<run>', 'folder of a run, or of one of its checkpoints')
    .option('--count <n>', `number of samples (default: ${defaultCount}), with seeds from --seed on`, integerFlag(1))
    .option('--seeds <a-b>', 'seeds of the samples, for instance 0-99 or 7', seedsFlag)
    .option('--label <class>', 'number or name of a class; repeated ones take turns', repeatedFlag, [])
    .option('--solver <name>', 'euler, midpoint, heun, ralston, heun3, rk4, rk4-38 or dopri5')
    .option('--steps <n>', 'steps of a solver with fixed steps', integerFlag(1))
    .option('--evaluations <n>', 'evaluations of the model for a sample, instead of steps', integerFlag(1))
    .option('--tolerance <x>', 'tolerance of dopri5, relative and absolute', numberFlag)
    .option('--guidance <w>', 'weight of the label; 1 is none', numberFlag)
    .option('--set <path=value>', 'change another setting of the run; may be repeated', repeatedFlag, [])
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option(
      '--grid <file.png>',
      'all samples in one picture (default, for images: samples/seeds-<a>-<b>.png of the run)',
    )
    .option('--columns <n>', 'samples in a row of the grid (default: near a square)', integerFlag(1))
    .option('--trajectory <file.png>', 'a row a sample, a column a time')
    .option('--images <folder>', 'one PNG for each sample, named by its seed')
    .option('--arrays <file.npz>', 'samples, seeds, labels and evaluations as arrays');
  return addSharedFlags(command).action(async (run: string, flags: SampleFlags) => {
    const config = sampleConfig(run, flags);
    const request = await requestOf(run, config, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, request);
    await sampleAndShow(context, request, json);
  });
}

async function sampleAndShow(
  { terminal, runner }: CommandContext,
  request: Omit<SampleRequest, 'signal' | 'onEvent'>,
  json: boolean,
): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.sample({ ...request, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  const unsolved = outcome.converged ? '' : '; some did not reach the data within the limit of evaluations';
  terminal.out(
    `${outcome.samples} samples, ${outcome.evaluations} evaluations each, in ${formatDuration(outcome.seconds)}${unsolved}`,
  );
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify({ ...outcome, seeds: request.seeds, labels: request.labels }));
}

/** The run's config with the flags as changes. */
function sampleConfig(run: string, flags: SampleFlags): RunConfig {
  const { solver, steps, evaluations, tolerance, guidance, set } = flags;
  if (steps !== undefined && evaluations !== undefined) {
    throw new ConfigError({ expected: 'either --steps or --evaluations', got: 'both', where: 'sample' });
  }
  const given = (path: string, value: unknown) =>
    value === undefined ? [] : [`sampling.${path}=${JSON.stringify(value)}`];
  const changes = [
    ...given('solver.kind', solver),
    ...given('solver.steps', steps),
    ...given('solver.relativeTolerance', tolerance),
    ...given('solver.absoluteTolerance', tolerance),
    ...given('guidance', guidance),
  ];
  const config = reviseConfig(readRunConfig(runFolderOf(run)), { set: [...changes, ...set] }, run);
  if (evaluations === undefined) return config;
  return reviseConfig(config, { set: given('solver.steps', stepsFor(evaluations, config.sampling)) }, run);
}

async function requestOf(
  run: string,
  config: RunConfig,
  flags: SampleFlags,
): Promise<Omit<SampleRequest, 'signal' | 'onEvent'>> {
  const seeds = seedsOf(flags);
  const { grid, trajectory = null, images = null, arrays = null } = flags;
  const asked = grid ?? trajectory ?? images ?? arrays;
  const fallback = join(runFolderOf(run), 'samples', `seeds-${seeds[0]}-${seeds.at(-1)}`);
  const isImages = config.data.kind === 'images';
  const labels =
    flags.label.length === 0
      ? null
      : chooseLabels({ labels: flags.label, count: seeds.length }, await classesOf(config));
  return {
    model: run,
    seeds,
    labels,
    sampling: config.sampling,
    runtime: config.runtime,
    ema: flags.ema,
    gridPath: grid ?? (asked === null && isImages ? `${fallback}.png` : null),
    columns: flags.columns ?? Math.ceil(Math.sqrt(seeds.length)),
    trajectoryPath: trajectory,
    imagesPath: images,
    arraysPath: arrays ?? (asked === null && !isImages ? `${fallback}.npz` : null),
  };
}

function seedsOf({ seeds, seed = 0, count = defaultCount }: SampleFlags): readonly number[] {
  const list = seeds ?? Array.from({ length: count }, (_, i) => seed + i);
  if (list.at(-1)! <= 0xffffffff) return list;
  throw new ConfigError({ expected: 'seeds below 2^32', got: String(list.at(-1)), where: 'sample' });
}
