/** The numbers by which `analyze curvature` compares flows, and what they are called. */

/** T is one value for each seed (float64), or an estimate over the seeds. */
export interface FlowMeasures<T> {
  /** Mean over the intervals of 1 - cos of consecutive velocities. */
  readonly curvatureMean: T;
  /** Sum over the intervals. */
  readonly curvatureSum: T;
  /** Angle by which the velocity turns on the way, radians. */
  readonly turning: T;
  /** Integral of |dx/dt - (x1 - x0)|, latent units. */
  readonly straightness: T;
  /** The same over |x1 - x0|. */
  readonly relativeStraightness: T;
  readonly solverErrors: readonly SolverErrorMeasures<T>[];
}

/** Distance of samples from their references. */
export interface SolverErrorMeasures<T> {
  /** Evaluations of the model for each sample. */
  readonly evaluations: number;
  /** Over the elements, latent units. */
  readonly rootMeanSquare: T;
  /** Euclidean norm, latent units. */
  readonly distance: T;
}

/** Measures made of those of two flows with the same numbers of evaluations, one by one. */
export function combineMeasures<T, U>(
  first: FlowMeasures<T>,
  second: FlowMeasures<T>,
  combine: (first: T, second: T) => U,
): FlowMeasures<U> {
  const pair = (name: Exclude<keyof FlowMeasures<T>, 'solverErrors'>) => combine(first[name], second[name]);
  return {
    curvatureMean: pair('curvatureMean'),
    curvatureSum: pair('curvatureSum'),
    turning: pair('turning'),
    straightness: pair('straightness'),
    relativeStraightness: pair('relativeStraightness'),
    solverErrors: first.solverErrors.map(({ evaluations, rootMeanSquare, distance }, i) => ({
      evaluations,
      rootMeanSquare: combine(rootMeanSquare, second.solverErrors[i]!.rootMeanSquare),
      distance: combine(distance, second.solverErrors[i]!.distance),
    })),
  };
}

/** Measures changed one by one. */
export function mapMeasures<T, U>(measures: FlowMeasures<T>, change: (value: T) => U): FlowMeasures<U> {
  return combineMeasures(measures, measures, change);
}

/** One measure of a list. */
export interface MeasureRow<T> {
  readonly quantity: string;
  /** Evaluations of the model for each sample; null where the measure is one of the trajectories. */
  readonly evaluations: number | null;
  readonly value: T;
}

/** The measures as rows, in the order of their reading. */
export function measureRows<T>(measures: FlowMeasures<T>): MeasureRow<T>[] {
  const of = (quantity: string, value: T) => ({ quantity, evaluations: null, value });
  return [
    of('curvature (mean of intervals)', measures.curvatureMean),
    of('curvature (sum of intervals)', measures.curvatureSum),
    of('turning of the velocity (rad)', measures.turning),
    of('straightness (latent units)', measures.straightness),
    of('relative straightness', measures.relativeStraightness),
    ...measures.solverErrors.map(({ evaluations, rootMeanSquare }) => ({
      quantity: 'solver error (root mean square)',
      evaluations,
      value: rootMeanSquare,
    })),
    ...measures.solverErrors.map(({ evaluations, distance }) => ({
      quantity: 'solver error (Euclidean norm)',
      evaluations,
      value: distance,
    })),
  ];
}

/** How the measures are defined, for every file and table that shows them. Sources: [davtyan:25] section 4.1, [matityahu:24] table 1. */
export const MEASURE_CONVENTIONS = {
  curvature:
    '1 - cos of the angle between the velocities at consecutive times; where the field is smooth, its mean goes like dt^2, its sum like dt',
  turning: 'sum of those angles; tends to a limit as dt falls, if the field is smooth',
  straightness: 'integral of |dx/dt - (x1 - x0)| over time, Euclidean norm, trapezoidal rule; relative: over |x1 - x0|',
  solverError: 'distance of a sample from the reference of its seed; Euclidean norm = sqrt(elements) root mean square',
} as const;
