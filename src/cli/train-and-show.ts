/** Training from the command line: what `train` and `start` share. */
import { rmdirSync } from 'node:fs';
import { type Conclusion, concludeRun } from '../experiments/conclude-run.ts';
import type { RunConfig } from '../experiments/config.ts';
import type { LossEstimate, TrainOutcome } from '../experiments/run-types.ts';
import type { CommandContext } from './context.ts';
import { interruptedStatus, withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';

/** Where a command trains, and how it tells of it. */
export interface FolderOrder {
  readonly directory: string;
  readonly resume: boolean;
  /** Whether the results end with one JSON line. */
  readonly json: boolean;
}

/** A training of a flow that a command asks for. */
export interface TrainingOrder extends FolderOrder {
  readonly config: RunConfig;
}

/** Trains, makes samples and the training curve, and prints the results; after an interrupt it says how to go on. */
export async function trainAndShow(context: CommandContext, order: TrainingOrder): Promise<void> {
  const { terminal, runner } = context;
  const { config, directory, resume, json } = order;
  const progress = createProgress(terminal);
  const onEvent = showEvent.bind(null, progress);
  progress.print(`${resume ? 'Resuming' : 'Training'} ${config.name} in ${directory}`);
  await withInterrupt(terminal, async (signal) => {
    const outcome = await runner
      .train({ config, directory, resume, signal, onEvent })
      .catch(leaveNoEmptyFolder(directory));
    progress.end();
    if (outcome.interrupted) {
      context.setStatus(interruptedStatus);
      terminal.err(`Saved at ${outcome.imagesSeen} images. To go on: flowloom train --resume ${directory}\n`);
      if (json) terminal.out(JSON.stringify(outcome));
      return;
    }
    progress.print('Sampling');
    const conclusion = await concludeRun(runner, outcome, { signal, onEvent });
    progress.end();
    for (const line of trainingLines(outcome, conclusion)) terminal.out(line);
    if (json) terminal.out(JSON.stringify({ ...outcome, ...conclusion }));
  });
}

/** Handler of a training's failure: a folder in which nothing was done yet would only take a number. */
export function leaveNoEmptyFolder(directory: string) {
  return (error: unknown): never => {
    try {
      rmdirSync(directory);
    } catch {
      // It is not empty, and stays.
    }
    throw error;
  };
}

/** A mean loss for people. */
export function lossText({ loss, standardError, samples }: LossEstimate): string {
  return `${loss.toFixed(4)} ± ${standardError.toFixed(4)}  (${samples} held out)`;
}

/** Results as lines of two columns: what, and its value. */
export function trainingLines(
  outcome: TrainOutcome,
  { curve, grid, arrays, rowNames, sampling }: Conclusion,
): string[] {
  const { validation, untrained, constant, stoppedEarly, best, skippedImages } = outcome;
  const rows: (readonly [string, string])[] = [
    ['run', outcome.directory],
    [
      'trained',
      `${outcome.imagesSeen} images, in ${formatDuration(outcome.seconds)}; ${outcome.parameterCount} parameters`,
    ],
    ...(validation === null ? [] : [['held-out loss', lossText(validation)] as const]),
    ...(untrained === null ? [] : [['  untrained network', lossText(untrained)] as const]),
    ...(constant === null ? [] : [['  best constant', lossText(constant)] as const]),
    ...(stoppedEarly ? [['stopped early', 'evaluations had not improved for long'] as const] : []),
    ...(best === null
      ? []
      : [
          [
            'best',
            `${best.metric} ${best.value.toPrecision(6)} after ${best.imagesSeen} images: ${best.checkpoint}`,
          ] as const,
        ]),
    ...(skippedImages === 0 ? [] : [['unreadable images', `${skippedImages}, left out`] as const]),
    ['samples', `${grid ?? arrays}, ${sampling.evaluations} evaluations each, in ${formatDuration(sampling.seconds)}`],
    ...(rowNames === null ? [] : [['  rows', rowNames.join(', ')] as const]),
    ['training curve', curve],
  ];
  return twoColumns(rows);
}

/** Rows as lines whose values begin in one column. */
export function twoColumns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([what]) => what.length));
  return rows.map(([what, value]) => `${what.padEnd(width)}  ${value}`);
}
