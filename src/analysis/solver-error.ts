/** What the samples of a few evaluations lack against those of a fine solution from the same noise. */
import { NumericalError } from '../errors.ts';
import { dopri5 } from '../sampling/solvers/dopri5.ts';
import type { FloatArray, InitialValueProblem, Solver } from '../sampling/solvers/solver.ts';
import { normOver } from './flow-trajectory.ts';

/** Tolerances of the reference, a solution by `dopri5`. */
export interface ReferenceOptions {
  /** Error allowed per step, relative to the state. Default 1e-5. */
  readonly relativeTolerance?: number;
  /** Error allowed per step at magnitude 0, in latent units. Default 1e-5. */
  readonly absoluteTolerance?: number;
  /** Most evaluations of a sample. Default 10,000. */
  readonly maxEvaluations?: number;
}

/** Samples to be compared with. Errors near the reference's own tolerance say nothing. */
export interface Reference<A extends FloatArray> {
  /** States at time 1, [batch, elements]. */
  readonly x: A;
  /** Evaluations that each sample needed, int32 [batch]. */
  readonly evaluations: Int32Array;
}

/**
 * The samples of a problem by `dopri5`, each with steps of its own.
 * @throws NumericalError if a sample does not reach time 1 within the limit of evaluations.
 */
export async function referenceSamples<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  options: ReferenceOptions = {},
): Promise<Reference<A>> {
  const { x, evaluations, converged, time } = await dopri5(options).solve(problem, Float64Array.of(0, 1));
  if (converged) return { x, evaluations };
  throw new NumericalError({
    expected: 'a reference that reaches time 1',
    got: `one whose sample ${time.findIndex((reached) => reached < 1)} stopped at ${Math.min(...time)}`,
    where: 'analysis/solver-error',
    remedy: 'a larger tolerance',
  });
}

/** Distances of samples from their references, by seed. */
export interface SolverError {
  /** Evaluations of the field for each sample, int32 [batch]. */
  readonly evaluations: Int32Array;
  /** Root mean square over the elements, in latent units. Float64 [batch]. */
  readonly rootMeanSquare: Float64Array;
  /** Euclidean norm: sqrt(elements) times `rootMeanSquare`. Float64 [batch]. */
  readonly distance: Float64Array;
}

/**
 * The distance between each sample by `solver` and its reference from the same noise. Rows belong to seeds, so the errors of
 * two models or solvers can be compared seed by seed.
 * @param grid  times of the solver, from 0 to 1.
 */
export async function solverError<A extends FloatArray>(
  problem: InitialValueProblem<A>,
  { solver, grid }: { readonly solver: Solver; readonly grid: Float64Array },
  reference: Reference<A>,
): Promise<SolverError> {
  const { x, evaluations } = await solver.solve(problem, grid);
  const elements = x.length / problem.batch;
  const distance = Float64Array.from({ length: problem.batch }, (_, row) =>
    normOver([row * elements, (row + 1) * elements], (i) => x[i]! - reference.x[i]!),
  );
  return { evaluations, distance, rootMeanSquare: distance.map((norm) => norm / Math.sqrt(elements)) };
}
