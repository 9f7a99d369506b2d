/** Stages from the command line. */
import type { StagesConfig } from '../experiments/stages-config.ts';
import type { StagesOutcome } from '../experiments/stages-request.ts';
import type { CommandContext } from './context.ts';
import { encodingLines } from './encode.ts';
import { evaluationLines } from './evaluation-text.ts';
import { interruptedStatus, withInterrupt } from './interrupt.ts';
import { createProgress, formatDuration, showEvent } from './progress.ts';
import { type FolderOrder, leaveNoEmptyFolder, trainingLines } from './train-and-show.ts';
import { autoencoderLines } from './train-autoencoder-and-show.ts';

/** Does the stages, and prints what each came to; after an interrupt it says how to go on. */
export async function trainStagesAndShow(
  context: CommandContext,
  { config, directory, resume, json }: FolderOrder & { readonly config: StagesConfig },
): Promise<void> {
  const { terminal, runner } = context;
  const progress = createProgress(terminal);
  const onEvent = showEvent.bind(null, progress);
  progress.print(`${resume ? 'Resuming' : 'Training'} ${config.name} in ${directory}`);
  await withInterrupt(terminal, async (signal) => {
    const outcome = await runner
      .trainStages({ config, directory, resume, signal, onEvent })
      .catch(leaveNoEmptyFolder(directory));
    progress.end();
    for (const line of stagesLines(outcome)) terminal.out(line);
    if (outcome.interrupted) {
      context.setStatus(interruptedStatus);
      terminal.err(`Stopped. To go on: flowloom train --resume ${directory}\n`);
    }
    if (json) terminal.out(JSON.stringify(outcome));
  });
}

/** What the stages that are done came to, each under its name. */
function stagesLines({ directory, seconds, stages }: StagesOutcome): string[] {
  const { autoencoder, latents, flow, samples, metrics } = stages;
  const section = (name: string, lines: readonly string[]) => [name, ...lines.map((line) => `  ${line}`)];
  const drawn =
    flow === null || samples === null
      ? []
      : section(
          'flow and samples',
          trainingLines(flow, {
            curve: flow.curve,
            grid: samples.grid,
            arrays: null,
            rowNames: samples.rowNames,
            sampling: samples,
          }),
        );
  return [
    ...(autoencoder === null ? [] : section('autoencoder', autoencoderLines(autoencoder))),
    ...(latents === null ? [] : section('latents', encodingLines(latents))),
    ...drawn,
    ...(metrics === null ? [] : section('metrics', [...evaluationLines(metrics.record), ...metrics.paths])),
    `${directory}, in ${formatDuration(seconds)}`,
  ];
}
