import { ConfigError, NumericalError, ShapeError } from '../errors.ts';
import type { CostMatrix } from './assignment.ts';
import { checkEqualMass, checkedMarginal, type TransportPlan } from './transport-plan.ts';

/** What entropic transport can be told. */
export interface SinkhornOptions {
  /**
   * Weight of the entropy, > 0, absolute and in the units of the cost: costs that are less than epsilon apart are hardly told
   * apart. It is not relative to the mean or the largest cost; doubling all costs and epsilon leaves the plan as it is.
   */
  readonly epsilon: number;
  /** L1 distance of the column sums from the column masses at which to stop, in units of mass. Default 1e-6. */
  readonly tolerance?: number;
  /** Most updates of each side, an integer >= 1. Default 1000. */
  readonly maxIterations?: number;
  /** Mass of each row, [rows]. Default 1/rows each. */
  readonly rowMarginal?: ArrayLike<number>;
  /** Mass of each column, [columns]. Default 1/columns each. */
  readonly columnMarginal?: ArrayLike<number>;
  /** Where to start, such as the outcome for a similar cost or a larger epsilon. The row potentials follow from these. Default 0. */
  readonly start?: { readonly columnPotentials: ArrayLike<number> };
}

/** How entropic transport ended. */
export interface SinkhornOutcome {
  /** The plan of the potentials; its row sums are exact up to rounding. */
  readonly plan: TransportPlan;
  /** f, float64 [rows], in units of cost. */
  readonly rowPotentials: Float64Array;
  /** g, float64 [columns], in units of cost. */
  readonly columnPotentials: Float64Array;
  /** Whether `marginalError` is within the tolerance. */
  readonly converged: boolean;
  /** Updates of the row potentials. */
  readonly iterations: number;
  /** L1 distance of the plan's column sums from the column masses. */
  readonly marginalError: number;
  /** Sum of plan times cost, without the entropy. */
  readonly cost: number;
}

const where = 'numerics/sinkhorn';

/**
 * Column sums below this may have lost terms to underflow (the least normal number is 2e-308), and are computed again with
 * their largest term taken out.
 */
const leastExactSum = 1e-290;

/** The problem with everything that the iteration reads. */
interface Problem {
  readonly cost: CostMatrix;
  readonly epsilon: number;
  readonly rowMarginal: Float64Array;
  readonly columnMarginal: Float64Array;
  readonly logColumnMarginal: Float64Array;
}

/**
 * Entropic optimal transport: the plan P with the given marginals a, b that minimises
 * sum P C + epsilon KL(P | a b), P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon), by alternating
 * f_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon) and g_j = -epsilon log sum_i a_i exp((f_i - C_ij) / epsilon).
 *
 * Everything stays in the domain of logarithms, in float64, so that no epsilon under- or overflows. An iteration takes one
 * exponential for each entry: those of the row update, divided by their sum, are the plan whose column sums the column update needs.
 * Memory beside the cost is a few vectors.
 *
 * Sources: [cuturi:13]; in the log domain [peyre:19], section 4.4. Fails when: epsilon is far below the differences of costs, where
 * the iterations needed grow like 1/epsilon and faster; then `converged` is false, and starting from the outcome of a larger
 * epsilon helps.
 * @returns the outcome, converged or not: what to do with a plan whose column sums are off is the caller's to say.
 * @throws ShapeError if the cost is empty or a length does not fit; ConfigError if an option is out of range, a mass is negative or
 * the masses of both sides differ; NumericalError if a cost is not finite.
 */
export function sinkhorn(cost: CostMatrix, options: SinkhornOptions): SinkhornOutcome {
  const { tolerance = 1e-6, maxIterations = 1000, start = null } = options;
  checkLimits({ tolerance, maxIterations });
  const problem = createProblem(cost, options);
  const rowPotentials = new Float64Array(cost.rows);
  const columnPotentials = startingPotentials(start, cost.columns);
  const columnSums = new Float64Array(cost.columns);
  let marginalError = Number.POSITIVE_INFINITY;
  let iterations = 0;
  while (true) {
    updateRows(problem, { rowPotentials, columnPotentials, columnSums });
    iterations++;
    marginalError = distance(columnSums, problem.columnMarginal);
    if (marginalError <= tolerance || iterations === maxIterations) break;
    updateColumns(problem, { rowPotentials, columnPotentials, columnSums });
  }
  const plan = planOf(problem, rowPotentials, columnPotentials);
  const converged = marginalError <= tolerance;
  const transported = costOf(plan, cost);
  return { plan, rowPotentials, columnPotentials, converged, iterations, marginalError, cost: transported };
}

interface Potentials {
  readonly rowPotentials: Float64Array;
  readonly columnPotentials: Float64Array;
  /** Column sums of the plan after the last update of the rows. */
  readonly columnSums: Float64Array;
}

/** Sets f such that the row sums are right, and writes the column sums of the plan that this gives. */
function updateRows(problem: Problem, { rowPotentials, columnPotentials, columnSums }: Potentials): void {
  const { cost, epsilon, rowMarginal, logColumnMarginal } = problem;
  const { values, rows, columns } = cost;
  const terms = new Float64Array(columns);
  columnSums.fill(0);
  for (let i = 0; i < rows; i++) {
    const offset = i * columns;
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < columns; j++) {
      const exponent = logColumnMarginal[j]! + (columnPotentials[j]! - values[offset + j]!) / epsilon;
      terms[j] = exponent;
      if (exponent > largest) largest = exponent;
    }
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const term = Math.exp(terms[j]! - largest);
      terms[j] = term;
      sum += term;
    }
    rowPotentials[i] = -epsilon * (largest + Math.log(sum));
    const scale = rowMarginal[i]! / sum;
    for (let j = 0; j < columns; j++) columnSums[j]! += scale * terms[j]!;
  }
}

/** Sets g such that the column sums are right: g_j grows by epsilon log(b_j / sum_i P_ij). */
function updateColumns(problem: Problem, potentials: Potentials): void {
  const { columnPotentials, columnSums } = potentials;
  for (let j = 0; j < columnPotentials.length; j++) {
    const sum = columnSums[j]!;
    const mass = problem.columnMarginal[j]!;
    if (sum < leastExactSum || mass === 0) columnPotentials[j] = columnPotential(problem, potentials.rowPotentials, j);
    else columnPotentials[j]! += problem.epsilon * Math.log(mass / sum);
  }
}

/** g_j = -epsilon log sum_i a_i exp((f_i - C_ij) / epsilon), by its definition. */
function columnPotential({ cost, epsilon, rowMarginal }: Problem, rowPotentials: Float64Array, column: number): number {
  const { values, rows, columns } = cost;
  let largest = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    if (rowMarginal[i] === 0) continue;
    const exponent = Math.log(rowMarginal[i]!) + (rowPotentials[i]! - values[i * columns + column]!) / epsilon;
    if (exponent > largest) {
      sum = sum * Math.exp(largest - exponent) + 1;
      largest = exponent;
    } else sum += Math.exp(exponent - largest);
  }
  return -epsilon * (largest + Math.log(sum));
}

function planOf(problem: Problem, rowPotentials: Float64Array, columnPotentials: Float64Array): TransportPlan {
  const { cost, epsilon, rowMarginal, columnMarginal } = problem;
  const { values, rows, columns } = cost;
  return {
    rows,
    columns,
    rowMarginal,
    columnMarginal,
    row(i, out = new Float64Array(columns)) {
      for (let j = 0; j < columns; j++) {
        const excess = rowPotentials[i]! + (columnPotentials[j]! - values[i * columns + j]!);
        out[j] = rowMarginal[i]! * Math.exp(problem.logColumnMarginal[j]! + excess / epsilon);
      }
      return out;
    },
  };
}

function costOf(plan: TransportPlan, { values }: CostMatrix): number {
  const masses = new Float64Array(plan.columns);
  let sum = 0;
  for (let i = 0; i < plan.rows; i++) {
    plan.row(i, masses);
    for (let j = 0; j < plan.columns; j++) sum += masses[j]! * values[i * plan.columns + j]!;
  }
  return sum;
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum;
}

function createProblem(cost: CostMatrix, options: SinkhornOptions): Problem {
  const { values, rows, columns } = cost;
  if (!(rows >= 1 && columns >= 1 && rows * columns === values.length)) {
    throw new ShapeError({
      expected: '`cost` to be [rows, columns] with at least one of each',
      got: `${values.length} values for [${rows}, ${columns}]`,
      where,
    });
  }
  const largest = largestMagnitude(cost);
  const { epsilon } = options;
  if (!(epsilon > 0 && Number.isFinite(epsilon) && Number.isFinite(largest / epsilon))) {
    throw new ConfigError({
      expected: '`epsilon` to be a finite number above 0 by which the costs can be divided',
      got: String(epsilon),
      where,
      remedy: 'a hundredth of the mean cost',
    });
  }
  const { rowMarginal = null, columnMarginal = null } = options;
  const a = checkedMarginal(rowMarginal, { name: 'rowMarginal', count: rows, where });
  const b = checkedMarginal(columnMarginal, { name: 'columnMarginal', count: columns, where });
  checkEqualMass(a, b, where);
  return { cost, epsilon, rowMarginal: a, columnMarginal: b, logColumnMarginal: b.map(Math.log) };
}

function largestMagnitude({ values, columns }: CostMatrix): number {
  let largest = 0;
  for (let k = 0; k < values.length; k++) {
    const magnitude = Math.abs(values[k]!);
    if (!(magnitude < Number.POSITIVE_INFINITY)) {
      throw new NumericalError({
        expected: '`cost` to be finite',
        got: `${values[k]} in row ${Math.floor(k / columns)}, column ${k % columns}`,
        where,
      });
    }
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

function startingPotentials(start: SinkhornOptions['start'] | null, columns: number): Float64Array {
  if (start === null || start === undefined) return new Float64Array(columns);
  const given = start.columnPotentials;
  if (given.length !== columns) {
    throw new ShapeError({
      expected: `\`start.columnPotentials\` to be [${columns}]`,
      got: `[${given.length}]`,
      where,
    });
  }
  const potentials = Float64Array.from(given);
  if (potentials.every(Number.isFinite)) return potentials;
  throw new NumericalError({ expected: '`start.columnPotentials` to be finite', got: 'one that is not', where });
}

function checkLimits({
  tolerance,
  maxIterations,
}: {
  readonly tolerance: number;
  readonly maxIterations: number;
}): void {
  if (!(tolerance >= 0)) {
    throw new ConfigError({ expected: '`tolerance` to be a number of at least 0', got: String(tolerance), where });
  }
  if (!(Number.isInteger(maxIterations) && maxIterations >= 1)) {
    throw new ConfigError({
      expected: '`maxIterations` to be an integer of at least 1',
      got: String(maxIterations),
      where,
    });
  }
}
