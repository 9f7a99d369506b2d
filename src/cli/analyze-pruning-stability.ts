import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../errors.ts';
import {
  type FixedSolverName,
  fixedSolvers,
  type PruningCase,
  type PruningData,
  type PruningOutcome,
  type PruningRequest,
  synthMixture,
} from '../experiments/pruning-request.ts';
import { caseText, stabilityConventions, stabilityTable } from '../experiments/pruning-text.ts';
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
} from './shared-flags.ts';

/** Flags of the mixture, absent where they are not given. */
interface MixtureFlags {
  readonly dimension?: readonly number[];
  readonly components?: number;
  readonly spread?: number;
  readonly width?: number;
}

interface PruningFlags extends SharedFlags, MixtureFlags {
  readonly count?: number;
  readonly fractions: readonly number[];
  readonly kept: readonly string[];
  readonly noises: number;
  readonly solver: FixedSolverName;
  readonly steps: number;
  readonly out: string;
}

type Settings = Omit<PruningRequest, 'signal' | 'onEvent'>;

const mixtureName = 'mixture';
const tenths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const { dimension, components, spread, width, count } = synthMixture;

/** `analyze pruning-stability <data>`: where the exact flow of a data set leads when some of the data are removed. */
export function analyzePruningStabilityCommand(context: CommandContext): Command {
  const command = new Command('pruning-stability')
    .description('remove data, and measure how many noises the exact flow still takes to the same datum')
    .argument('<data>', 'mixture (of normals), an embedded set, a toy density, or a path')
    .option('--count <n>', `data from the start of the set (default: all; of a mixture, ${count})`, integerFlag(1))
    .option(
      '--dimension <list>',
      `of the mixture; several are measured in turn (default: ${dimension})`,
      dimensionsFlag,
    )
    .option('--components <n>', `normals in the mixture (default: ${components})`, integerFlag(1))
    .option('--spread <s>', `standard deviation of their centres (default: ${spread})`, numberFlag)
    .option('--width <s>', `standard deviation of each (default: ${width})`, numberFlag)
    .option('--fractions <list>', 'shares of the data that are removed at random', fractionsFlag, tenths)
    .addOption(
      new Option('--kept <file>', 'data that remain, by number (.json or .npy), instead; may be repeated')
        .argParser<readonly string[]>(repeatedFlag)
        .default([])
        .conflicts('fractions'),
    )
    .option('--noises <n>', 'noises that are followed', integerFlag(4), 1000)
    .addOption(new Option('--solver <name>', 'solver with fixed steps').choices(fixedSolvers).default('euler'))
    .option('--steps <n>', 'equal steps of the solver, the last one by Euler', integerFlag(2), 100)
    .option('--out <folder>', 'folder of the results', join('analysis', 'pruning-stability'));
  return addSharedFlags(command).action(async (data: string, flags: PruningFlags) => {
    const settings = settingsOf(data, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await analyzeAndShow(context, settings, json);
  });
}

function settingsOf(source: string, flags: PruningFlags): Settings {
  const { fractions, kept, noises, solver, steps, seed = 0, out } = flags;
  const method = { fractions: kept.length > 0 ? [] : fractions, kept, noises, solver, steps, seed };
  const cases = dataOf(source, flags).map((data): PruningCase => ({ name: nameOf(data), data, ...method }));
  return { cases, outDirectory: out };
}

function nameOf(data: PruningData): string {
  return data.kind === 'set' ? data.source : `${mixtureName}, dimension ${data.dimension}`;
}

/** @throws ConfigError if a flag of the mixture is given for other data. */
function dataOf(source: string, flags: PruningFlags): PruningData[] {
  if (source === mixtureName) {
    const { dimension: dimensions = [dimension], ...given } = flags;
    const mixture = {
      components: given.components ?? components,
      spread: given.spread ?? spread,
      width: given.width ?? width,
      count: given.count ?? count,
    };
    return dimensions.map((one) => ({ kind: 'mixture', dimension: one, ...mixture }));
  }
  const names: readonly (keyof MixtureFlags)[] = ['dimension', 'components', 'spread', 'width'];
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return [{ kind: 'set', source, count: flags.count ?? null }];
  throw new ConfigError({
    expected: `--${given} for the data \`${mixtureName}\` only`,
    got: `it for ${source}`,
    where: 'analyze pruning-stability',
    remedy: `without it, or with ${mixtureName}`,
  });
}

async function analyzeAndShow({ terminal, runner }: CommandContext, settings: Settings, json: boolean): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.analyzePruningStability({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  ).finally(() => progress.end());
  for (const line of stabilityLines(outcome)) terminal.out(line);
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify(outcome));
}

function stabilityLines({ runs, seconds }: PruningOutcome): string[] {
  return [
    ...runs.flatMap((run) => [caseText(run), '', ...stabilityTable(run), '']),
    ...stabilityConventions,
    `In ${formatDuration(seconds)}.`,
    '',
  ];
}

function numbersOf(text: string): readonly number[] | null {
  return /^\d*\.?\d+(,\d*\.?\d+)*$/.test(text) ? text.split(',').map(Number) : null;
}

function distinct(values: readonly number[] | null, fits: (value: number) => boolean): values is readonly number[] {
  return values?.every(fits) === true && new Set(values).size === values.length;
}

function dimensionsFlag(text: string): readonly number[] {
  const values = numbersOf(text);
  if (distinct(values, (value) => Number.isInteger(value) && value >= 1)) return values;
  throw new InvalidArgumentError('Expected different integers such as 2,8,32.');
}

function fractionsFlag(text: string): readonly number[] {
  const values = numbersOf(text);
  if (distinct(values, (value) => value < 1)) return values;
  throw new InvalidArgumentError('Expected different numbers below 1 such as 0.1,0.5,0.9.');
}
