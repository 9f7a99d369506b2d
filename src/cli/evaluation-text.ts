/** Results of `evaluate` as lines of text. */
import type { EvaluationRecord, Judged } from '../experiments/evaluate-request.ts';
import { textTable } from '../report/text-table.ts';

type Metric = EvaluationRecord['metrics'][number];

/** A record for people: what was judged, a table of the metrics, and the conventions that its last column numbers. */
export function evaluationLines({ generated, features, reference, metrics }: EvaluationRecord): string[] {
  const conventions = [...new Set(metrics.map(({ convention }) => convention))];
  const rows = metrics.map((metric) => [
    metric.name,
    valueText(metric),
    metric.unit,
    Object.entries(metric.samples)
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
    `[${conventions.indexOf(metric.convention) + 1}]`,
  ]);
  return [
    judgedText(generated),
    `compared with ${reference} by ${features}`,
    '',
    ...textTable(['metric', 'value ± standard error', 'unit', 'samples', 'convention'], rows),
    '',
    ...conventions.map((convention, i) => `[${i + 1}] ${convention}`),
    '',
  ];
}

function judgedText(judged: Judged): string {
  if (judged.kind === 'set') return `${judged.count} images of ${judged.source}`;
  const { seeds, sampling } = judged;
  const { solver, guidance } = sampling;
  const source =
    judged.kind === 'exact'
      ? [`exact field ${judged.model}`]
      : [
          `${judged.imagesSeen} images seen`,
          judged.parameters === 'ema' ? 'averaged parameters' : 'parameters of the last step',
        ];
  return [
    `samples of seeds ${seeds.first} to ${seeds.first + seeds.count - 1}`,
    ...source,
    'steps' in solver ? `${solver.kind} with ${solver.steps} steps` : solver.kind,
    `guidance ${guidance ?? 1}`,
  ].join(', ');
}

/** Value ± error with as many digits as the error has two of; six digits of a value without. */
export function valueText({ value, standardError }: Pick<Metric, 'value' | 'standardError'>): string {
  if (standardError === null) return `${Number(value.toPrecision(6))}`;
  if (!(standardError > 0)) return `${Number(value.toPrecision(6))} ± ${standardError}`;
  const digits = Math.max(0, Math.min(12, 1 - Math.floor(Math.log10(standardError))));
  return `${value.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}
