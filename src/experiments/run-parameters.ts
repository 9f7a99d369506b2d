/** Which of a run's parameters are used, and their values from a checkpoint. */
import { type Checkpoint, readCheckpoint } from '../training/checkpoint.ts';
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
