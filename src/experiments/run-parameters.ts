/** Which of a run's parameters are used, and their values from a checkpoint. */
import { type Checkpoint, openCheckpointTensors, readCheckpoint } from '../training/checkpoint.ts';
import type { RunConfig } from './config.ts';

/** Averaged parameters, or those of the last step. */
export type ParameterGroup = 'ema' | 'parameters';

/** Which parameters a run offers to one who wants the averaged ones, or does not. */
export function parameterGroup(
  { training }: { readonly training: Pick<RunConfig['training'], 'ema'> },
  wantsEma: boolean,
): ParameterGroup {
  return wantsEma && training.ema !== null ? 'ema' : 'parameters';
}

/** Parameters of a checkpoint that are read one by one. */
export interface ParameterFile {
  /** Values of the parameter at a path. */
  read(path: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens the parameters of a checkpoint. @throws CheckpointError if it is damaged. */
export async function openParameters(checkpoint: Checkpoint, group: ParameterGroup): Promise<ParameterFile> {
  const file = await openCheckpointTensors(checkpoint);
  return {
    // Parameters are float32 by the model's own types.
    read: async (path) => (await file.read(`${group}.${path}`)).data as Float32Array,
    close: () => file.close(),
  };
}

/** Parameters by path. @throws CheckpointError if the checkpoint is damaged. */
export async function readParameters(
  checkpoint: Checkpoint,
  group: ParameterGroup,
): Promise<Record<string, Float32Array>> {
  const tensors = await readCheckpoint(checkpoint, `${group}.`);
  // Parameters are float32 by the model's own types; the sampler's stepper checks them against those.
  return Object.fromEntries(
    [...tensors].map(([name, { data }]) => [name.slice(group.length + 1), data as Float32Array]),
  );
}
