/** Results of `analyze closed-form` as lines of text. */
import type { ClosedFormOutcome, Estimate, FieldErrorAtTime } from '../experiments/closed-form-request.ts';
import type { AlignmentResult } from '../experiments/measure-alignment.ts';
import type { FieldErrorResult } from '../experiments/measure-field-error.ts';
import type { HybridResult } from '../experiments/measure-hybrid.ts';
import type { NearnessResult } from '../experiments/measure-memorisation.ts';
import { textTable } from '../report/text-table.ts';
import { formatDuration } from './progress.ts';

/** An outcome for people: a table a part, with what its numbers mean. */
export function closedFormLines(outcome: ClosedFormOutcome): string[] {
  const { alignment, run, error, hybrid, memorisation, within, seconds, seed } = outcome;
  return [
    ...(run === null ? [] : runLines(run)),
    ...(alignment === null ? [] : alignmentLines(alignment)),
    ...(error === null ? [] : errorLines(error)),
    ...(hybrid === null ? [] : hybridLines(hybrid)),
    ...nearnessLines([
      ['samples of the network', memorisation?.samples ?? null],
      ['held-out data', memorisation?.heldOut ?? null],
      ['training data, to each other', within],
    ]),
    `Seed ${seed}, in ${formatDuration(seconds)}.`,
    '',
  ];
}

function runLines(run: NonNullable<ClosedFormOutcome['run']>): string[] {
  const { directory, imagesSeen, parameters, labelled, data, elements } = run;
  const facts = [
    `${imagesSeen} images seen`,
    parameters === 'ema' ? 'averaged parameters' : 'parameters of the last step',
    ...(labelled ? ['asked without a label, as the exact field has none'] : []),
    `trained on ${data} data of ${elements} elements`,
  ];
  return [`${directory}: ${facts.join(', ')}`, ''];
}

function estimateText({ mean, standardError }: Estimate, digits = 3): string {
  return Number.isFinite(standardError)
    ? `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`
    : mean.toFixed(digits);
}

const timeText = (time: number | null) => (time === null ? '-' : String(time));

/** The measured time that is nearest to a wanted one. */
function nearestTime<T extends { readonly time: number }>(times: readonly T[], wanted: number): T {
  return times.reduce((best, one) => (Math.abs(one.time - wanted) < Math.abs(best.time - wanted) ? one : best));
}

function alignmentLines(results: readonly AlignmentResult[]): string[] {
  const shown = [...new Set([0, 0.1, 0.2, 0.4].map((wanted) => nearestTime(results[0]!.times, wanted).time))];
  const rows = results.map(({ name, elements, count, times, collapseTime, closeTime, determinedTime }) => [
    name,
    String(elements),
    String(count),
    ...shown.map((time) => `${(100 * nearestTime(times, time).aligned).toFixed(0)} %`),
    ...[collapseTime, closeTime, determinedTime].map(timeText),
  ]);
  const aligned = shown.map((time) => `t = ${time}`);
  return [
    `Alignment of the exact field u*(xt, t) with x1 - x0 over ${results[0]!.pairs} pairs: share with a cosine above 0.9`,
    '',
    ...textTable(['data', 'dimension', 'count', ...aligned, 'collapse', 'close', 'determined'], rows),
    '',
    ...collapseNotes,
    '',
  ];
}

/** What the times of the collapse are. */
const collapseNotes = [
  'collapse, close: first time at which more than half of the pairs have a cosine above 0.9, above 0.99 (noise is most of either velocity in',
  "many dimensions, so that 0.9 may be passed at time 0); determined: a weight of the pair's own datum in u* above 0.9. -: at no time.",
];

function errorLines({ training, heldOut }: FieldErrorResult): string[] {
  const cell = (one: FieldErrorAtTime | undefined) => (one === undefined ? '-' : estimateText(one.error, 4));
  const step = Math.max(1, Math.round(training.length / 10));
  const rows = training.flatMap((one, i) =>
    i % step === 0 ? [[String(one.time), cell(one), cell(heldOut?.[i]), one.referenceSquare.mean.toFixed(4)]] : [],
  );
  const [pairs, others] = [training[0]!.error.count, heldOut?.[0]?.error.count ?? 0];
  return [
    `Mean squared error per element of the network against the exact field, at xt of ${pairs} training and ${others} held-out data`,
    '',
    ...textTable(['time', 'training', 'held out', "u*'s square"], rows),
    '',
  ];
}

function hybridLines({ switches, samples, seed }: HybridResult): string[] {
  const rows = switches.map(({ tau, distance, memorised }) => [
    tau.toFixed(2),
    estimateText(distance),
    `${(100 * memorised.mean).toFixed(0)} %`,
  ]);
  return [
    `Distance to the nearest training datum of ${samples} samples (seeds ${seed} to ${seed + samples - 1}) that follow u* up to tau`,
    '',
    ...textTable(['tau', 'distance', 'memorised'], rows),
    '',
  ];
}

function nearnessLines(all: readonly (readonly [string, NearnessResult | null])[]): string[] {
  const rows = all.flatMap(([name, one]) =>
    one === null
      ? []
      : [
          [
            name,
            String(one.distance.count),
            estimateText(one.distance),
            estimateText(one.ratio),
            `${(100 * one.memorised.mean).toFixed(1)} %`,
          ],
        ],
  );
  if (rows.length === 0) return [];
  const threshold = all.find(([, one]) => one !== null)![1]!.threshold;
  return [
    `Nearest training data: Euclidean distance in latent units; ratio of the nearest to the second nearest; memorised: ratio below ${threshold.toFixed(3)}`,
    '',
    ...textTable(['of', 'count', 'distance', 'ratio', 'memorised'], rows),
    '',
  ];
}
