import { type CheckpointMap, listNames } from '../checkpoint-map.ts';
import { type PatchDiscriminatorOptions, patchWidths } from '../patch-discriminator.ts';

/**
 * Names of the public discriminator of [isola:17]; in a checkpoint of [esser:21] they follow `loss.discriminator.`. Its norms also hold
 * running statistics, which only their evaluation mode reads: here they are those of a network that never saw a batch.
 */
export function patchDiscriminatorCheckpoint(options: PatchDiscriminatorOptions): CheckpointMap {
  return {
    toExternal: (tree) =>
      listNames(tree, (names) => {
        names.layer('input', 'main.0');
        for (const [i, width] of patchWidths(options).entries()) {
          const norm = `main.${3 * i + 3}`;
          names.same(`layers.${i}.weight`, `main.${3 * i + 2}.weight`);
          names.norm(`layers.${i}.norm`, norm);
          names.fixed(`${norm}.running_mean`, [width], () => new Float32Array(width));
          names.fixed(`${norm}.running_var`, [width], () => new Float32Array(width).fill(1));
          names.fixed(`${norm}.num_batches_tracked`, [], () => new Float32Array(1));
        }
        names.layer('output', `main.${3 * options.layers + 2}`);
      }),
  };
}
