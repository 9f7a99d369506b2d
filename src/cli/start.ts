import { Command } from 'commander';
import { readConfig } from '../experiments/read-config.ts';
import { claimRunPath } from '../experiments/run-path.ts';
import { findUnfinishedRun } from '../experiments/unfinished-run.ts';
import type { CommandContext } from './context.ts';
import { addSharedFlags, printSettings, repeatedFlag, type SharedFlags } from './shared-flags.ts';
import { trainAndShow } from './train-and-show.ts';

interface StartFlags extends SharedFlags {
  readonly set?: readonly string[];
  readonly fresh?: true;
}

/** `start`: the main job. Trains `fashion-unet`, or goes on with the run of it that was interrupted. */
export function startCommand(context: CommandContext): Command {
  const command = new Command('start')
    .description('train the preset fashion-unet and draw samples; goes on where an earlier start was interrupted')
    .option('--set <path=value>', 'change a setting, for instance training.images=6400; may be repeated', repeatedFlag)
    .option('--fresh', 'begin a new run, whatever was interrupted');
  return addSharedFlags(command).action(async (flags: StartFlags) => {
    const { set = [], json = false, dryRun = false, fresh = false } = flags;
    const config = readConfig('fashion-unet', { set, seed: flags.seed ?? null });
    if (dryRun) return printSettings(context.terminal, { json }, config);
    const unfinished = fresh ? null : findUnfinishedRun(config);
    const directory = unfinished ?? claimRunPath(config.name);
    await trainAndShow(context, { config, directory, resume: unfinished !== null, json });
  });
}
