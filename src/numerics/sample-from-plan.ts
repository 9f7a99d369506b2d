import { ConfigError, NumericalError, ShapeError } from '../errors.ts';
import { roundToPermutation } from './dependent-rounding.ts';
import type { RandomStream } from './stream.ts';
import { type TransportPlan, total } from './transport-plan.ts';

/** How often a source, a column of the plan, may be drawn. */
export type SourceUse = 'once' | 'with-replacement';

const where = 'numerics/sample-from-plan';

/** Marginals count as uniform if no mass differs from the mean by more than this part of it. */
const uniformTolerance = 1e-6;

/**
 * One source for each target, drawn from a transport plan whose rows are the targets and whose columns are the sources. Row i gets
 * column j with probability P_ij / sum_j P_ij, so that a pair (i, j) is as frequent as the plan wants it; the targets keep their order,
 * and each is there once, where drawing pairs from the whole plan with replacement, as in [tong:24], drops some and repeats others.
 *
 * - `once`: a permutation. Each row has the law above, and every source is used exactly once, so that the noise of a batch stays the
 *   sample of the normal distribution that was drawn. What it lacks: rows are not independent of each other, and the law is fixed by the
 *   frequencies of single pairs only; it is not Gibbs' over permutations. It needs as many rows as columns, equal masses, and a copy of the
 *   plan in float64. A plan whose column sums, times the number of rows, are off by an L1 error e is first changed by at most 2 e.
 *   Source: [gandhi:06], on the plan times its number of rows, which is doubly stochastic.
 * - `with-replacement`: rows are independent. What it lacks: sources may repeat or be left out, so that the noise of a batch is no longer
 *   an independent sample of the normal distribution. Any marginals will do.
 *
 * @returns column of each row, int32 [rows].
 * @throws NumericalError if a row of the plan has no mass, or the plan holds a mass that is negative or not finite; with `once`,
 * ShapeError if the plan is not square and ConfigError if its marginals are not uniform.
 */
export function sampleFromPlan(
  plan: TransportPlan,
  stream: RandomStream,
  { sources = 'once' }: { readonly sources?: SourceUse } = {},
): Int32Array {
  return samplers[sources](plan, stream);
}

const samplers: { readonly [U in SourceUse]: (plan: TransportPlan, stream: RandomStream) => Int32Array } = {
  once: samplePermutation,
  'with-replacement': sampleRows,
};

function sampleRows(plan: TransportPlan, stream: RandomStream): Int32Array {
  const masses = new Float64Array(plan.columns);
  return Int32Array.from({ length: plan.rows }, (_, row) => {
    const sum = checkedRow(plan, row, masses);
    let left = stream.uniform() * sum;
    let chosen = -1;
    for (let j = 0; j < masses.length && left >= 0; j++) {
      if (masses[j] === 0) continue;
      // Rounding may leave a remainder after the last column; it belongs to that column.
      chosen = j;
      left -= masses[j]!;
    }
    return chosen;
  });
}

function samplePermutation(plan: TransportPlan, stream: RandomStream): Int32Array {
  const { rows, columns } = plan;
  if (rows !== columns) {
    throw new ShapeError({
      expected: 'a plan with as many rows as columns, where each source is used once',
      got: `[${rows}, ${columns}]`,
      where,
      remedy: "sources: 'with-replacement'",
    });
  }
  checkUniform(plan.rowMarginal, 'rowMarginal');
  checkUniform(plan.columnMarginal, 'columnMarginal');
  const matrix = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const row = matrix.subarray(i * rows, (i + 1) * rows);
    const sum = checkedRow(plan, i, row);
    for (let j = 0; j < rows; j++) row[j]! /= sum;
  }
  return roundToPermutation(matrix, stream);
}

/** Writes a row of the plan into `out` and gives its sum. */
function checkedRow(plan: TransportPlan, row: number, out: Float64Array): number {
  plan.row(row, out);
  const sum = total(out);
  if (sum > 0 && sum < Number.POSITIVE_INFINITY && out.every((mass) => mass >= 0)) return sum;
  throw new NumericalError({
    expected: `row ${row} of the plan to hold masses of at least 0, not all 0`,
    got: `a row with sum ${sum}`,
    where,
  });
}

function checkUniform(masses: Float64Array, name: string): void {
  const mean = total(masses) / masses.length;
  const fault = masses.findIndex((mass) => Math.abs(mass - mean) > uniformTolerance * mean);
  if (fault < 0) return;
  throw new ConfigError({
    expected: `\`${name}\` to be uniform, where each source is used once`,
    got: `${masses[fault]} at ${fault} beside a mean of ${mean}`,
    where,
    remedy: "sources: 'with-replacement'",
  });
}
