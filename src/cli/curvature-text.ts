/** Results of `analyze curvature` as lines of text. */
import type { CurvatureOutcome, RunCurvature } from '../experiments/curvature-request.ts';
import { MEASURE_CONVENTIONS, measureRows } from '../experiments/flow-measures.ts';
import { formatDuration } from './progress.ts';

/** An outcome for people: what was measured, a table of means with standard errors, and the conventions behind them. */
export function curvatureLines(outcome: CurvatureOutcome): string[] {
  return [...headLines(outcome), ...tableLines(outcome.runs), '', ...conventionLines(outcome)];
}

/** What was measured, a line a run. */
function headLines({ runs, firstSeed, seconds }: CurvatureOutcome): string[] {
  const { count } = runs[0]!.measures.curvatureMean;
  return [
    `${count} trajectories a run, seeds ${firstSeed} to ${firstSeed + count - 1}, in ${formatDuration(seconds)}`,
    ...runs.map((run) => `  ${run.name}: ${factsOf(run).join(', ')}`),
    '',
  ];
}

/** What the numbers of a run depend on. */
function factsOf(run: RunCurvature): string[] {
  const { imagesSeen, parameters, coupling, elements, labels, guidance, solver, times, evaluations } = run;
  return [
    `${imagesSeen} images seen`,
    parameters === 'ema' ? 'averaged parameters' : 'parameters of the last step',
    `${coupling.kind} coupling`,
    `${elements} elements`,
    labels === null ? 'no labels' : `labels ${labels.join(' ')} in turn`,
    `guidance ${guidance}`,
    `${solver.kind} with ${times.length - 1} steps (dt ${stepText(times)})`,
    `${evaluations} evaluations each`,
  ];
}

function stepText(times: readonly number[]): string {
  const steps = times.slice(1).map((time, k) => time - times[k]!);
  const [least, most] = [Math.min(...steps), Math.max(...steps)];
  return most - least < 1e-9 ? short(most) : `${short(least)} to ${short(most)}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Mean ± standard error with as many digits as the error has two of. */
function estimateText({ mean, standardError }: { readonly mean: number; readonly standardError: number }): string {
  if (!(standardError > 0)) return `${short(mean)} ± ${short(standardError)}`;
  const digits = Math.max(0, Math.min(12, 1 - Math.floor(Math.log10(standardError))));
  return `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}

/** A column of the table a run, and one for each difference to the first. */
function tableLines(runs: readonly RunCurvature[]): string[] {
  const columns = runs.flatMap(({ name, measures, difference }) => [
    [name, ...measureRows(measures).map(({ value }) => estimateText(value))],
    ...(difference === null
      ? []
      : [[`minus ${runs[0]!.name}`, ...measureRows(difference).map(({ value }) => estimateText(value))]]),
  ]);
  const quantities = measureRows(runs[0]!.measures).map(({ quantity, evaluations }) =>
    evaluations === null ? quantity : `${quantity}, ${evaluations} evaluations`,
  );
  const rows = ['mean ± standard error', ...quantities].map((quantity, i) => [
    quantity,
    ...columns.map((column) => column[i]!),
  ]);
  const widths = rows[0]!.map((_, k) => Math.max(...rows.map((row) => row[k]!.length)));
  return rows.map((row) =>
    row
      .map((cell, k) => cell.padEnd(widths[k]!))
      .join('  ')
      .trimEnd(),
  );
}

function conventionLines({ runs }: CurvatureOutcome): string[] {
  const { count } = runs[0]!.measures.solverErrors[0]!.rootMeanSquare;
  const { curvature, turning, straightness, solverError } = MEASURE_CONVENTIONS;
  return [
    `curvature: ${curvature}`,
    `turning: ${turning}`,
    `straightness: ${straightness}`,
    `solver error: ${solverError}`,
    ...runs.map(
      ({ name, reference: { solver, relativeTolerance, meanEvaluations, mostEvaluations } }) =>
        `reference of ${name}: ${solver}, tolerance ${relativeTolerance}, the first ${count} seeds, converged with ${Math.round(meanEvaluations)} evaluations each (at most ${mostEvaluations})`,
    ),
    '',
  ];
}
