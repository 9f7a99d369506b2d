/** `metrics.json`: a record of each evaluation of a run. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DataError } from '../errors.ts';
import type { EvaluationRecord } from './evaluate-request.ts';
import { writeWhole } from './run-directory.ts';

/** Version of the file's format. */
const format = 1;

interface EvaluationFile {
  readonly format: typeof format;
  readonly evaluations: readonly EvaluationRecord[];
}

/** Records of a file; none if it is not there. @throws DataError if it is of another format. */
export function readEvaluations(path: string): readonly EvaluationRecord[] {
  if (!existsSync(path)) return [];
  let file: Partial<EvaluationFile> | null;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as Partial<EvaluationFile> | null;
  } catch (cause) {
    throw unreadable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (file?.format !== format || !Array.isArray(file.evaluations)) throw unreadable(path, 'something else');
  return file.evaluations;
}

function unreadable(path: string, got: string, cause?: unknown): DataError {
  return new DataError({
    expected: `\`${path}\` to hold evaluations of format ${format}`,
    got,
    where: 'experiments/evaluation-file',
    remedy: 'another file, or removing this one',
    cause,
  });
}

/** What evaluations have in common that differ by their metrics only. */
function subject({ generated, features, reference }: EvaluationRecord): string {
  return JSON.stringify([generated, features, reference]);
}

/** Whether a metric is measured again by some others. */
function isAmong(metrics: EvaluationRecord['metrics'], { name, convention }: EvaluationRecord['metrics'][number]) {
  return metrics.some((metric) => metric.name === name && metric.convention === convention);
}

/** Adds a record to a file; metrics of the same samples, features and reference that were there before are replaced or kept beside. */
export function keepEvaluation(path: string, record: EvaluationRecord): void {
  const before = readEvaluations(path);
  const at = before.findIndex((other) => subject(other) === subject(record));
  const kept = before[at]?.metrics.filter((metric) => !isAmong(record.metrics, metric)) ?? [];
  const joined: EvaluationRecord = { ...record, metrics: [...record.metrics, ...kept] };
  const evaluations = at < 0 ? [...before, joined] : before.with(at, joined);
  mkdirSync(dirname(path), { recursive: true });
  writeWhole(path, `${JSON.stringify({ format, evaluations } satisfies EvaluationFile, null, 2)}\n`);
}
