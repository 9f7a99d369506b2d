/** What a finished training leaves besides its checkpoint: samples and the training curve. */
import { join } from 'node:path';
import { readRunConfig, runDirectory } from './run-directory.ts';
import type { RunEvent, Runner, SampleOutcome, TrainOutcome } from './run-types.ts';
import { gridPlan } from './sample-plan.ts';

/** Where a run's results are. */
export interface Conclusion {
  /** SVG of the losses. */
  readonly curve: string;
  /** PNG of samples; null for vectors. */
  readonly grid: string | null;
  /** .npz of samples; null for images. */
  readonly arrays: string | null;
  /** What each row of the grid is; null if rows mean nothing. */
  readonly rowNames: readonly string[] | null;
  readonly sampling: SampleOutcome;
}

/** What to do while concluding. */
export interface ConcludeOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** Writes the training curve and samples by the run's own settings into its folder. */
export async function concludeRun(
  runner: Runner,
  outcome: TrainOutcome,
  options: ConcludeOptions,
): Promise<Conclusion> {
  const { directory } = outcome;
  const config = readRunConfig(directory);
  // Charts take a second to load, which commands without them shall not wait for.
  const { writeTrainingCurve } = await import('./training-curve.ts');
  const curve = writeTrainingCurve(directory, { name: config.name, constantLoss: outcome.constant?.loss ?? null });
  const { seeds, labels, columns, rowNames } = await gridPlan(config);
  const { samples } = runDirectory(directory);
  const isImages = config.data.kind === 'images';
  const grid = isImages ? join(samples, 'grid.png') : null;
  const arrays = isImages ? null : join(samples, 'samples.npz');
  const sampling = await runner.sample({
    model: directory,
    seeds,
    labels,
    sampling: config.sampling,
    ema: true,
    gridPath: grid,
    columns,
    trajectoryPath: null,
    imagesPath: null,
    arraysPath: arrays,
    ...options,
  });
  return { curve, grid, arrays, rowNames, sampling };
}
