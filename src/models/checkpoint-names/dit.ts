import { type CheckpointMap, listNames } from '../checkpoint-map.ts';
import type { DitOptions } from '../dit.ts';
import { gridEmbedding } from '../layers/patches.ts';

/** What the names depend on besides the parameters. */
export type DitCheckpointOptions = Pick<DitOptions, 'shape' | 'patch' | 'depth' | 'width' | 'classes'>;

/**
 * Names of the public checkpoints of DiT [peebles:23], which those of SiT [ma:24] share. Their networks make channels for variances:
 * `variances` must be set to read them. SiT embeds its time as it is: `timeScale` 1; the time of DiT counts a thousand noise levels.
 */
export function ditCheckpoint({ shape, patch, depth, width, classes }: DitCheckpointOptions): CheckpointMap {
  const [rows, columns] = [shape[1] / patch, shape[2] / patch];
  return {
    toExternal: (tree) =>
      listNames(tree, (names) => {
        names.fixed('pos_embed', [1, rows * columns, width], () =>
          Float32Array.from(gridEmbedding(rows, columns, width)),
        );
        names.layer('patches', 'x_embedder.proj', () => [width, shape[0], patch, patch]);
        names.layer('condition.time.0', 't_embedder.mlp.0');
        names.layer('condition.time.1', 't_embedder.mlp.2');
        if (classes !== null) names.same('condition.label.table', 'y_embedder.embedding_table.weight');
        for (let i = 0; i < depth; i++) {
          names.joint(`blocks.${i}.attention`, `blocks.${i}.attn.qkv`, { rows: width, axes: 0 });
          names.layer(`blocks.${i}.attention.output`, `blocks.${i}.attn.proj`);
          names.layer(`blocks.${i}.expand`, `blocks.${i}.mlp.fc1`);
          names.layer(`blocks.${i}.contract`, `blocks.${i}.mlp.fc2`);
          names.layer(`blocks.${i}.modulation`, `blocks.${i}.adaLN_modulation.1`);
        }
        names.layer('output', 'final_layer.linear');
        names.layer('modulation', 'final_layer.adaLN_modulation.1');
      }),
  };
}
