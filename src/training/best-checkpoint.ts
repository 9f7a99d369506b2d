/** `best.json` among the checkpoints: which of them had the best evaluation. It follows from the log, and is written for readers. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../errors.ts';
import { checkpointName } from './checkpoint.ts';
import type { BestEvaluation } from './evaluation.ts';

const pointerName = 'best.json';
/** What stands for the best checkpoint where the folder of one is asked for. */
export const bestName = 'best';

/** Writes which checkpoint of a folder is the best, or that none is. */
export async function writeBest(folder: string, best: BestEvaluation | null): Promise<void> {
  const path = join(folder, pointerName);
  if (best === null) return rm(path, { force: true });
  await writeFile(`${path}.new`, `${JSON.stringify(best, null, 2)}\n`, { flush: true });
  await rename(`${path}.new`, path);
}

/** Path of the best checkpoint of a folder. @throws CheckpointError if none is. */
export async function bestCheckpointPath(folder: string): Promise<string> {
  const path = join(folder, pointerName);
  try {
    const { imagesSeen } = JSON.parse(await readFile(path, 'utf8')) as BestEvaluation;
    return join(folder, checkpointName(imagesSeen));
  } catch (cause) {
    throw new CheckpointError({
      expected: `\`${folder}\` to hold a best checkpoint`,
      got: `no readable ${pointerName}`,
      where: 'training/best-checkpoint',
      remedy: 'the run itself for its newest one, or training with `training.evaluation.best`',
      cause,
    });
  }
}
