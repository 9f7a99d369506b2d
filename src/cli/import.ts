import { Command } from 'commander';
import type { ImportedTensor, ImportRequest } from '../experiments/import-request.ts';
import { readConfig } from '../experiments/read-config.ts';
import { nextRunPath } from '../experiments/run-path.ts';
import type { WeightNames } from '../experiments/weight-names.ts';
import type { CommandContext } from './context.ts';
import { addSharedFlags, printSettings, repeatedFlag, type SharedFlags } from './shared-flags.ts';
import { addWeightNamesFlags } from './weight-names-flags.ts';

interface ImportFlags extends SharedFlags, WeightNames {
  readonly as: string;
  readonly set: readonly string[];
  readonly run?: string;
  readonly lenient?: true;
}

/** `import <file.safetensors> --as <model>`: weights as a run. */
export function importCommand({ terminal, runner }: CommandContext): Command {
  const command = new Command('import')
    .description('make a run of weights in a safetensors file, to be sampled and measured')
    .argument('<file>', 'a safetensors file; float64, float32, float16 and bfloat16 are read')
    .requiredOption('--as <preset or config>', 'whose model the weights are of: a preset, or a YAML or JSON file')
    .option('--set <path=value>', 'change a setting, for instance model.depth=6; may be repeated', repeatedFlag, [])
    .option('--run <folder>', 'folder of the run (default: runs/<n>-<name>)')
    .option(
      '--lenient',
      'import what fits; the rest of the file is left out, missing parameters keep their starting values',
    );
  return addSharedFlags(addWeightNamesFlags(command)).action(async (file: string, flags: ImportFlags) => {
    const { as, names, attentionRows, set, run, lenient = false, json = false, dryRun = false } = flags;
    const config = readConfig(as, { set, seed: flags.seed ?? null });
    const request: ImportRequest = {
      file,
      config,
      directory: run ?? nextRunPath(config.name),
      names,
      attentionRows,
      lenient,
    };
    if (dryRun) {
      return printSettings(terminal, { json }, request);
    }
    const outcome = await runner.importRun(request);
    for (const tensor of outcome.tensors) terminal.out(lineOf(tensor));
    for (const path of outcome.missing) terminal.out(`(missing) -> ${path}`);
    terminal.out(`${outcome.parameterCount.toLocaleString('en')} parameters in ${outcome.directory}`);
    if (json) terminal.out(JSON.stringify(outcome));
  });
}

function lineOf({ name, dtype, shape, paths }: ImportedTensor): string {
  return `${name} ${dtype} [${shape.join(', ')}] -> ${paths.length === 0 ? '(left out)' : paths.join(', ')}`;
}
