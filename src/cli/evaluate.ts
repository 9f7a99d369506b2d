import { join } from 'node:path';
import { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import { runtimeDefaults } from '../experiments/config.ts';
import type { EvaluateSettings, SeedRange } from '../experiments/evaluate-request.ts';
import { metricNames, parseMetricNames } from '../experiments/metric-names.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { readSampleModel } from '../experiments/sample-model.ts';
import type { CommandContext } from './context.ts';
import { evaluationLines } from './evaluation-text.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import {
  addSharedFlags,
  integerFlag,
  printSettings,
  repeatedFlag,
  type SharedFlags,
  seedsFlag,
} from './shared-flags.ts';

interface EvaluateFlags extends SharedFlags {
  readonly folder?: string;
  readonly against?: string;
  readonly split?: string;
  readonly size?: number;
  readonly metrics: string;
  readonly features?: string;
  readonly count?: number;
  readonly seeds?: readonly number[];
  readonly reference: number;
  readonly set: readonly string[];
  readonly ema: boolean;
  readonly out?: string;
}

/** Samples so that the preset fashion-unet takes about a minute on two cores. */
const defaultCount = 500;
/** Samples to compare with: enough that more change little, few enough for distances of all pairs. */
const defaultReference = 10_000;

/** `evaluate <run>`: judges samples of a run, or images from anywhere, by metrics. */
export function evaluateCommand(context: CommandContext): Command {
  const command = new Command('evaluate')
    .description('measure samples of a run, or images from anywhere, against data')
    .argument('[run]', 'folder of a run, or of one of its checkpoints; or closed-form:<data>')
    .option('--folder <images>', 'judge these images instead of a run: a folder, IDX, CIFAR binary or .npz')
    .option('--against <data>', 'train or heldOut of the run (default: train); with --folder: images as there')
    .option('--split <part>', 'train or test, of the images after --against (default: train)')
    .option('--size <n>', 'height and width to which images of folders are cropped', integerFlag(1))
    .option('--metrics <list>', `all, or some of ${metricNames.join(',')}`, 'all')
    .option(
      '--features <name>',
      'domain, pixels, mixed5, face, another preset=file.onnx, or file.onnx?size=n (default: domain, a classifier of the labels, where there are labels; pixels of images; coordinates of vectors)',
    )
    .option('--count <n>', `number of samples (default: ${defaultCount}), with seeds from --seed on`, integerFlag(1))
    .option('--seeds <a-b>', 'seeds of the samples, for instance 0-999', seedsFlag)
    .option('--reference <n>', 'samples to compare with at most, spread evenly', integerFlag(2), defaultReference)
    .option('--set <path=value>', 'change a setting of the run, such as sampling.solver.steps', repeatedFlag, [])
    .option('--no-ema', 'use the parameters themselves, not their average')
    .option('--out <file.json>', 'file that keeps the result (default: metrics.json of the run)');
  return addSharedFlags(command).action(async (run: string | undefined, flags: EvaluateFlags) => {
    const settings = settingsOf(run, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await evaluateAndShow(context, settings, json);
  });
}

function refuse(expected: string, got: string, remedy?: string): never {
  throw new ConfigError({ expected, got, where: 'evaluate', ...(remedy === undefined ? {} : { remedy }) });
}

type SharedSettings = Pick<EvaluateSettings, 'metrics' | 'features' | 'referenceCount'>;

function settingsOf(run: string | undefined, flags: EvaluateFlags): EvaluateSettings {
  const { folder, metrics, features = null, reference } = flags;
  const shared: SharedSettings = { metrics: parseMetricNames(metrics), features, referenceCount: reference };
  if (run !== undefined && folder === undefined) return runSettings(run, flags, shared);
  if (run === undefined && folder !== undefined) return setSettings(folder, flags, shared);
  const got = run === undefined ? 'neither' : 'both';
  return refuse('either a run or --folder', got, '`flowloom evaluate runs/1-fashion-unet`');
}

/** What a model says of its samples, with the flags as changes. */
function modelSettings(model: string, { set, out }: EvaluateFlags) {
  const { sampling, runtime, exact } = readSampleModel(model, { set, evaluations: null });
  if (exact !== null) return { exact, sampling, runtime, outPath: out ?? null };
  return { sampling, runtime, outPath: out ?? join(runFolderOf(model), 'metrics.json') };
}

function runSettings(model: string, flags: EvaluateFlags, shared: SharedSettings): EvaluateSettings {
  const { against = 'train', ema, split, size } = flags;
  if (against !== 'train' && against !== 'heldOut') {
    return refuse('--against to be train or heldOut', `"${against}"`);
  }
  if (split !== undefined || size !== undefined) refuse('--split and --size with --folder only', 'a run');
  const seeds = seedRange(flags);
  const last = seeds.first + seeds.count - 1;
  if (last > 0xffffffff) refuse('seeds below 2^32', String(last));
  return { ...shared, ...modelSettings(model, flags), kind: 'model', model, seeds, against, ema };
}

function setSettings(source: string, flags: EvaluateFlags, shared: SharedSettings): EvaluateSettings {
  const { against, split = 'train', size = null, out = null, set, count, seeds } = flags;
  if (against === undefined) return refuse('--against with the images to compare with', 'none', '--against fashion');
  if (split !== 'train' && split !== 'test') return refuse('--split to be train or test', `"${split}"`);
  if (set.length > 0 || count !== undefined || seeds !== undefined) {
    refuse('no --set, --count or --seeds, which are for samples of a run', 'some');
  }
  const runtime = runtimeDefaults();
  return {
    ...shared,
    kind: 'set',
    source,
    against,
    split,
    size,
    runtime,
    outPath: out,
  };
}

function seedRange({ seeds, seed = 0, count = defaultCount }: EvaluateFlags): SeedRange {
  return seeds === undefined ? { first: seed, count } : { first: seeds[0]!, count: seeds.length };
}

async function evaluateAndShow(
  { terminal, runner }: CommandContext,
  settings: EvaluateSettings,
  json: boolean,
): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.evaluate({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  for (const line of evaluationLines(outcome.record)) terminal.out(line);
  terminal.err(`In ${formatDuration(outcome.seconds)}\n`);
  for (const path of outcome.paths) terminal.out(path);
  // Without times: the same evaluation prints the same line.
  if (json) terminal.out(JSON.stringify(outcome.record));
}
