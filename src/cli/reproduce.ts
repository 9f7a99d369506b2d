import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type PreparedReproduction, type Scale, scales } from '../experiments/reproduce/reproduction.ts';
import { findReproduction, type ReproductionTable, reproductions } from '../experiments/reproduce/table.ts';
import type { CommandContext } from './context.ts';
import { withInterrupt } from './interrupt.ts';
import { createProgress, showEvent } from './progress.ts';
import { addSharedFlags, printSettings, type SharedFlags } from './shared-flags.ts';

interface ReproduceFlags extends SharedFlags {
  readonly scale: Scale;
  readonly out?: string;
  readonly data?: string;
}

/** `reproduce <figure>`: a figure or table of a paper, the paper's numbers beside measured ones. Status 1 if they disagree. */
export function reproduceCommand(context: CommandContext, table: ReproductionTable = reproductions): Command {
  const figures = Object.entries(table).map(([name, { summary }]) => `  ${name}: ${summary}`);
  const command = new Command('reproduce')
    .description("measure a figure or table of a paper; the paper's numbers beside the measured ones")
    .argument('<figure>', 'name of the figure or table')
    .addOption(new Option('--scale <scale>', 'amount of work').choices(scales).default('laptop'))
    .option('--data <source>', 'an embedded set or a path, in place of the data of the figure')
    .option('--out <folder>', 'folder for numbers and charts (default: reproductions/<figure>)')
    .addHelpText('after', ['', 'Figures and tables:', ...figures].join('\n'));
  return addSharedFlags(command).action(async (figure: string, flags: ReproduceFlags) => {
    const { scale, json = false, dryRun = false, seed = 0 } = flags;
    const reproduction = await findReproduction(table, figure).load();
    const prepared = reproduction({ scale, seed, data: flags.data ?? null });
    const directory = flags.out ?? join('reproductions', figure);
    if (dryRun) {
      printSettings(context.terminal, { json }, { figure, scale, directory, ...prepared.settings });
      return;
    }
    await runAndShow(context, prepared, { figure, scale, directory, json });
  });
}

async function runAndShow(
  { terminal, setStatus }: CommandContext,
  prepared: PreparedReproduction,
  request: { readonly figure: string; readonly scale: Scale; readonly directory: string; readonly json: boolean },
): Promise<void> {
  const { figure, scale, directory, json } = request;
  const progress = createProgress(terminal);
  const onEvent = showEvent.bind(null, progress);
  const outcome = await withInterrupt(terminal, (signal) => prepared.run({ directory, signal, onEvent })).finally(() =>
    progress.end(),
  );
  const { lines, paths, agrees, result } = outcome;
  for (const line of [...lines, '', ...paths]) terminal.out(line);
  if (json) terminal.out(JSON.stringify({ figure, scale, agrees, paths, result }));
  if (!agrees) setStatus(1);
}
