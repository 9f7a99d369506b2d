/** Flags of the commands that read or write weights under names, and their values. */
import { type Command, Option } from 'commander';
import type { WeightNames } from '../experiments/weight-names.ts';

/** Adds `--names` and `--attention-rows`, whose values a command has as fields of `WeightNames`. */
export function addWeightNamesFlags(command: Command): Command {
  const names: readonly WeightNames['names'][] = ['own', 'published'];
  const rows: readonly WeightNames['attentionRows'][] = ['head', 'kind'];
  return command
    .addOption(
      new Option(
        '--names <which>',
        'names of weights in safetensors files. own: paths of parameters; published: those of the public checkpoints of DiT, ADM or EDM',
      )
        .choices(names)
        .default('own'),
    )
    .addOption(
      new Option(
        '--attention-rows <order>',
        'rows of queries, keys and values in published checkpoints of ADM. head: head by head; kind: all queries, all keys, all values ("new attention order", as in the one of ImageNet 64 x 64)',
      )
        .choices(rows)
        .default('head'),
    );
}
