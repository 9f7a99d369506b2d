import { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import { usualLastStep } from '../experiments/exact-model.ts';
import type { SampleRequest } from '../experiments/run-types.ts';
import { readSampleModel, type SampleModel } from '../experiments/sample-model.ts';
import { chooseLabels } from '../experiments/sample-plan.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import { type SamplingFlags, samplingChanges } from './sampling-changes.ts';
import {
  addSharedFlags,
  integerFlag,
  numberFlag,
  printSettings,
  repeatedFlag,
  type SharedFlags,
  seedsFlag,
} from './shared-flags.ts';

interface SampleFlags extends SharedFlags, SamplingFlags {
  readonly count?: number;
  readonly seeds?: readonly number[];
  readonly label: readonly string[];
  readonly evaluations?: number;
  readonly ema: boolean;
  readonly grid?: string;
  readonly columns?: number;
  readonly trajectory?: string;
  readonly images?: string;
  readonly arrays?: string;
}

const defaultCount = 64;

/** `sample <run>`: makes samples with a trained run, or with the exact field of data. */
export function sampleCommand(context: CommandContext): Command {
  const command = new Command('sample')
    .description(
      'make samples with a trained run, or with the exact field of data; sample s is a function of seed s alone',
    )
    .argument('<run>', 'folder of a run, or of one of its checkpoints; or closed-form:<data>, the exact field of data')
    .option('--count <n>', `number of samples (default: ${defaultCount}), with seeds from --seed on`, integerFlag(1))
    .option('--seeds <a-b>', 'seeds of the samples, for instance 0-99 or 7', seedsFlag)
    .option('--label <class>', 'number or name of a class; repeated ones take turns', repeatedFlag, [])
    .option('--solver <name>', 'euler, midpoint, heun, ralston, heun3, rk4, rk4-38 or dopri5')
    .option('--steps <n>', 'steps of a solver with fixed steps', integerFlag(1))
    .option('--evaluations <n>', 'evaluations of the model for a sample, instead of steps', integerFlag(1))
    .option('--tolerance <x>', 'tolerance of dopri5, relative and absolute', numberFlag)
    .option('--guidance <w>', 'weight of the label; 1 is none', numberFlag)
    .option(
      '--last-step <length>',
      `length of an exact field's last step, to time 1 (default: ${usualLastStep})`,
      numberFlag,
    )
    .option(
      '--set <path=value>',
      'change another setting of the run, or of the exact field (data.count, data.size); may be repeated',
      repeatedFlag,
      [],
    )
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option(
      '--grid <file.png>',
      'all samples in one picture (default, for images: seeds-<a>-<b>.png in samples/ of the run)',
    )
    .option('--columns <n>', 'samples in a row of the grid (default: near a square)', integerFlag(1))
    .option('--trajectory <file.png>', 'a row a sample, a column a time')
    .option('--images <folder>', 'one PNG for each sample, named by its seed')
    .option('--arrays <file.npz>', 'samples, seeds, labels and evaluations as arrays');
  return addSharedFlags(command).action(async (run: string, flags: SampleFlags) => {
    const request = await requestOf(run, flags);
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

/** The model with the flags as changes of its settings. */
function modelOf(run: string, flags: SampleFlags): SampleModel {
  const { steps, evaluations = null } = flags;
  if (steps !== undefined && evaluations !== null) {
    throw new ConfigError({ expected: 'either --steps or --evaluations', got: 'both', where: 'sample' });
  }
  return readSampleModel(run, { set: samplingChanges(flags), evaluations });
}

/** @throws ConfigError if a flag means nothing to an exact field. */
function checkExact({ ema, label }: SampleFlags, { sampling }: SampleModel): void {
  const fault = (expected: string, got: string, remedy: string) =>
    new ConfigError({ expected, got, where: 'sample', remedy });
  if (!ema) throw fault('a trained run, for --no-ema', 'an exact field, which has no parameters', 'to leave it out');
  if ((sampling.guidance ?? 1) !== 1 && label.length === 0) {
    throw fault('labels, to guide the exact field by', 'none', '--label <class>');
  }
}

async function requestOf(run: string, flags: SampleFlags): Promise<Omit<SampleRequest, 'signal' | 'onEvent'>> {
  const model = modelOf(run, flags);
  const { sampling, runtime, exact } = model;
  if (exact !== null) checkExact(flags, model);
  const seeds = seedsOf(flags);
  const { grid, trajectory = null, images = null, arrays = null } = flags;
  const asked = grid ?? trajectory ?? images ?? arrays;
  const fallback = `${model.filePrefix}-${seeds[0]}-${seeds.at(-1)}`;
  const isImages = asked === null && (await model.isImages());
  const labels =
    flags.label.length === 0 ? null : chooseLabels({ labels: flags.label, count: seeds.length }, await model.classes());
  return {
    model: run,
    seeds,
    labels,
    sampling,
    runtime,
    ema: flags.ema,
    ...(exact === null ? {} : { exact }),
    gridPath: grid ?? (isImages ? `${fallback}.png` : null),
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
