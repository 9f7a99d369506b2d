import { join } from 'node:path';
import { Command } from 'commander';
import type {
  CouplingAnalysis,
  CouplingOutcome,
  CouplingRequest,
  OptimumResult,
  WholeCost,
} from '../experiments/coupling-request.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { textTable } from '../report/text-table.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import { addSharedFlags, integerFlag, printSettings, type SharedFlags } from './shared-flags.ts';

interface CouplingFlags extends SharedFlags {
  readonly batches: number;
  readonly optimum: boolean;
  readonly out?: string;
}

/** `analyze coupling <run...>`: what the pairs of noise and data cost, and how far they are from the optimum. */
export function analyzeCouplingCommand(context: CommandContext): Command {
  const command = new Command('coupling')
    .description('measure what pairs of noise and data cost, how many are reassigned, and the gap to the optimum')
    .argument('<run...>', 'folders of runs, or of their checkpoints')
    .option('--batches <n>', 'batches to be paired, as training would go on', integerFlag(2), 64)
    .option('--no-optimum', 'leave out the optimum of the whole set, which takes a minute or more for 10,000 pairs')
    .option('--out <folder>', 'folder of the results (default: analysis/ in the folder of the first run)');
  return addSharedFlags(command).action(async (runs: readonly string[], flags: CouplingFlags) => {
    const { batches, optimum, out, json = false, dryRun = false } = flags;
    const outDirectory = out ?? join(runFolderOf(runs[0]!), 'analysis');
    const settings = { runs, batches, optimum, outDirectory };
    if (dryRun) return printSettings(context.terminal, { json }, settings);
    await analyzeAndShow(context, settings, json);
  });
}

async function analyzeAndShow(
  { terminal, runner }: CommandContext,
  settings: Omit<CouplingRequest, 'signal' | 'onEvent'>,
  json: boolean,
): Promise<void> {
  const progress = createProgress(terminal);
  const outcome = await withInterrupt(terminal, (signal) =>
    runner.analyzeCoupling({ ...settings, signal, onEvent: showEvent.bind(null, progress) }),
  );
  progress.end();
  for (const line of couplingLines(outcome)) terminal.out(line);
  for (const path of outcome.paths) terminal.out(path);
  if (json) terminal.out(JSON.stringify(outcome));
}

function couplingLines({ runs, seconds }: CouplingOutcome): string[] {
  const names = ['', ...runs.map(({ name }) => name)];
  const rows = quantities.map(([quantity, text]) => [quantity, ...runs.map(text)]);
  return [
    ...textTable(names, rows),
    '',
    'Costs are means per pair, in latent units, with their standard error where they are of a sample. The optimum is the cheapest pairing of',
    'all data with as many noises: those that the coupling keeps, or one fresh noise for each datum where it keeps none (a coupling that',
    'chooses data for ever new noise can lie below it). It is exact up to 10,000 pairs, and a lower bound above.',
    `In ${formatDuration(seconds)}.`,
    '',
  ];
}

const none = '-';

const costText = ({ cost, standardError }: WholeCost) =>
  standardError === 0 ? cost.toFixed(2) : `${cost.toFixed(2)} ± ${standardError.toFixed(2)}`;

const chiSquaredText = (chiSquared: WholeCost['chiSquared']) =>
  chiSquared === undefined ? none : `${chiSquared.value.toFixed(3)} ± ${chiSquared.standardError.toFixed(3)}`;

const optimumText = ({ kind, cost }: OptimumResult) => `${kind === 'exact' ? '' : '>= '}${cost.toFixed(2)}`;

const quantities: readonly (readonly [string, (run: CouplingAnalysis) => string])[] = [
  ['coupling', ({ coupling }) => coupling.kind],
  ['cost', ({ cost }) => (cost === 'squared' ? '|x - z|²' : '|x - z|')],
  ['images seen', ({ imagesSeen }) => String(imagesSeen)],
  ['data', ({ data, elements }) => `${data} x ${elements}`],
  ['rows paired at once', ({ batches }) => String(batches.rows)],
  ['cost of batches', ({ batches: { cost } }) => `${cost.mean.toFixed(2)} ± ${cost.standardError.toFixed(2)}`],
  ['reassigned in a batch', ({ batches: { reassigned } }) => reassigned?.mean.toFixed(1) ?? none],
  ['noises kept, all as drawn', ({ seeds }) => (seeds === null ? none : String(seeds))],
  ['cost of all pairs', ({ whole }) => (whole === null ? none : costText(whole))],
  ["inequality of the data's shares (chi²)", ({ whole }) => chiSquaredText(whole?.chiSquared)],
  ['optimum', ({ optimum }) => (optimum === null ? none : optimumText(optimum))],
  ['gap to the optimum', ({ optimum }) => optimum?.gap.toFixed(2) ?? none],
  ['optimum found in', ({ optimum }) => (optimum === null ? none : formatDuration(optimum.seconds))],
];
