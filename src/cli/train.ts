import { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import type { AnyConfig } from '../experiments/any-config.ts';
import { readAnyConfig, reviseAnyConfig } from '../experiments/read-config.ts';
import { readAnyRunConfig } from '../experiments/run-directory.ts';
import { claimRunPath, nextRunPath } from '../experiments/run-path.ts';
import type { CommandContext } from './context.ts';
import { addSharedFlags, printSettings, repeatedFlag, type SharedFlags } from './shared-flags.ts';
import { trainAndShow } from './train-and-show.ts';
import { trainAutoencoderAndShow } from './train-autoencoder-and-show.ts';
import { trainStagesAndShow } from './train-stages-and-show.ts';

interface TrainFlags extends SharedFlags {
  readonly set?: readonly string[];
  readonly run?: string;
  readonly resume?: string;
}

/** `train <preset or config file>`: trains a flow, an autoencoder or both in stages in a new folder of runs/, or goes on with a run. */
export function trainCommand(context: CommandContext): Command {
  const command = new Command('train')
    .description('train a flow, an autoencoder, or both in stages; a run can be interrupted or killed, and resumed')
    .argument('[preset or config]', 'name of a preset, or path of a YAML or JSON file')
    .option('--set <path=value>', 'change a setting, for instance training.batchSize=32; may be repeated', repeatedFlag)
    .option('--run <folder>', 'folder of the run (default: runs/<n>-<name>)')
    .option('--resume <folder>', 'go on with the run in this folder');
  return addSharedFlags(command).action(async (source: string | undefined, flags: TrainFlags) => {
    const { resume, json = false, dryRun = false } = flags;
    const config = readSettings(source, flags);
    if (dryRun) return printSettings(context.terminal, { json }, config);
    const directory = resume ?? flags.run ?? claimRunPath(config.name);
    const order = { directory, resume: resume !== undefined, json };
    if ('stages' in config) return trainStagesAndShow(context, { config, ...order });
    if ('autoencoder' in config) return trainAutoencoderAndShow(context, { config, ...order });
    await trainAndShow(context, { config, ...order });
  });
}

function readSettings(source: string | undefined, flags: TrainFlags): AnyConfig {
  const { resume, run, set = [] } = flags;
  const seed = flags.seed ?? null;
  if (resume === undefined) {
    if (source !== undefined) return readAnyConfig(source, { set, seed });
    throw new ConfigError({
      expected: 'a preset or a config file',
      got: 'none',
      where: 'train',
      remedy: `\`flowloom train fashion-unet\` (it trains in ${nextRunPath('fashion-unet')})`,
    });
  }
  if (source === undefined && run === undefined)
    return reviseAnyConfig(readAnyRunConfig(resume), { set, seed }, resume);
  throw new ConfigError({
    expected: '--resume without a preset, a config file or --run',
    got: source ?? `--run ${run}`,
    where: 'train',
    remedy: `\`flowloom train --resume ${resume}\``,
  });
}
