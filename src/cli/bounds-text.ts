/** Results of `analyze bounds` as lines of text. */
import type { BoundsOutcome, NamedLipschitz, RunBounds } from '../experiments/bounds-request.ts';
import { textTable } from '../report/text-table.ts';
import { formatDuration } from './progress.ts';

/** An outcome for people: the terms of each run's bound, the runs against each other, and what the numbers stand for. */
export function boundsLines(outcome: BoundsOutcome): string[] {
  return [
    ...headLines(outcome),
    '',
    ...termLines(outcome),
    '',
    ...(outcome.runs.length > 1 ? [...pairLines(outcome), ''] : []),
    ...outcome.lipschitz.map(convergenceLine),
    ...conventionLines(outcome),
    '',
  ];
}

function headLines({ plan, reference, data, elements, runs, seconds }: BoundsOutcome): string[] {
  const { count } = runs[0]!.velocityErrors[0]!.square;
  return [
    `Exact field of ${data} data with ${elements} elements, those of ${reference}; seed ${plan.seed}, in ${formatDuration(seconds)}`,
    `${plan.times} times; at each ${count} points made of ${plan.points} data for the velocities, ${Math.min(plan.jacobians, count)} of them for the norms`,
  ];
}

/** Four digits, with an exponent where the number is large or small. */
export function short(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}

function range(values: readonly number[]): string {
  return `${short(Math.min(...values))} to ${short(Math.max(...values))}`;
}

function termLines({ runs, lipschitz }: BoundsOutcome): string[] {
  const normsOf = ({ lipschitzOf }: RunBounds) => lipschitz.find(({ name }) => name === lipschitzOf)!.estimate;
  const rows: readonly (readonly [string, (run: RunBounds) => string])[] = [
    ['images seen', ({ imagesSeen }) => String(imagesSeen)],
    ['parameters', ({ parameters }) => (parameters === 'ema' ? 'averaged' : 'of the last step')],
    ['Lipschitz constants of', ({ lipschitzOf }) => lipschitzOf],
    ['median norm over time', (run) => range(normsOf(run).times.map(({ median }) => median))],
    ['maximum norm over time', (run) => range(normsOf(run).times.map(({ maximum }) => maximum))],
    ['exp(int L dt), medians', ({ bound }) => short(bound.growth)],
    ['exp(int L dt), maxima', ({ maximumBound }) => short(maximumBound.growth)],
    ['sqrt(int E|v - u*|^2 dt)', ({ bound }) => short(bound.velocityError)],
    ['share of the last time in it', ({ bound }) => `${(100 * bound.lastShare).toFixed(0)} %`],
    ['bound of W2, medians', ({ bound }) => short(bound.bound)],
    ['bound of W2, maxima', ({ maximumBound }) => short(maximumBound.bound)],
  ];
  return textTable(
    ['', ...runs.map(({ name }) => name)],
    rows.map(([quantity, text]) => [quantity, ...runs.map(text)]),
  );
}

function pairLines({ runs, pairwise, matched, plan }: BoundsOutcome): string[] {
  const names = runs.map(({ name }) => name);
  const bounds = textTable(
    ['bound of W2 between', ...names],
    names.map((name, i) => [name, ...pairwise[i]!.map(short)]),
  );
  if (matched === null) return bounds;
  const distances = textTable(
    ['matched samples', ...names],
    names.map((name, i) => [name, ...matched[i]!.map(({ rootMeanSquare }) => short(rootMeanSquare))]),
  );
  return [
    ...bounds,
    '',
    ...distances,
    `Root mean square distance of ${plan.matched} samples of the same noise: another bound of W2 between two runs, measured.`,
  ];
}

function convergenceLine({ name, estimate: { convergence } }: NamedLipschitz): string {
  const { count, converged, tolerance, meanIterations, mostIterations, largestResidual } = convergence;
  return `${name}: ${converged} of ${count} norms converged to a residual of ${tolerance}, with ${meanIterations.toFixed(1)} products each (at most ${mostIterations}); largest residual ${short(largestResidual)}`;
}

function conventionLines({ plan }: BoundsOutcome): string[] {
  return [
    'The bound needs the Lipschitz constant of v(., t), a supremum over all x. The paper takes the median over points; the maximum over points',
    'is nearer to it, and still not above it.',
    plan.points === 'held-out'
      ? 'It also needs points of the training distribution. At held-out ones, as in the paper, the exact field grows like 1 / (1 - t), so that the last times decide.'
      : 'Its points are made of training data, as the theorem has it.',
  ];
}
