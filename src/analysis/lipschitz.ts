/** How strongly a velocity network spreads nearby states apart: statistics of spectral norms of its Jacobian along the time. */
import { type Estimate, estimateMean } from '../numerics/estimate.ts';
import { integralOverTime } from './error-bound.ts';
import type { JacobianProducts } from './jacobian-products.ts';
import { type SpectralNormOptions, type SpectralNorms, spectralNorms } from './spectral-norm.ts';

/** Points on the paths from sources to targets, rows aligned. */
export interface PathPairs {
  /** float32 [pairs, elements]. */
  readonly source: Float32Array;
  /** float32 [pairs, elements]. */
  readonly target: Float32Array;
}

/** Spectral norms of dv/dx at one time, in units of 1 / time. */
export interface LipschitzAtTime {
  readonly time: number;
  /** What [briq:26] takes for the Lipschitz constant. */
  readonly median: number;
  readonly mean: Estimate;
  /** The largest one found: the constant itself, a supremum over all x, is not below it. */
  readonly maximum: number;
}

/** How the power iterations ended. */
export interface Convergence {
  /** Norms that were sought. */
  readonly count: number;
  /** Those whose residual fell to the tolerance. */
  readonly converged: number;
  readonly tolerance: number;
  /** Products with J^T J for a norm. */
  readonly meanIterations: number;
  readonly mostIterations: number;
  readonly largestResidual: number;
}

/** Norms over time, and what they may do to an error on its way. */
export interface LipschitzEstimate {
  readonly times: readonly LipschitzAtTime[];
  /** Integral of the medians over time, and of the maxima. */
  readonly medianIntegral: number;
  readonly maximumIntegral: number;
  /** exp of the integral of the medians, as [briq:26] has it; infinite beyond 1e308. */
  readonly medianGrowth: number;
  /** exp of that of the maxima: nearer to what the theorem asks for, and still not above it. */
  readonly maximumGrowth: number;
  readonly convergence: Convergence;
}

/** The middle one of some numbers, or the mean of the two in the middle. */
function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Points t target + (1 - t) source of all pairs at all times, time by time. */
function allPoints({ source, target }: PathPairs, times: readonly number[], elements: number) {
  const pairs = target.length / elements;
  const x = new Float32Array(times.length * target.length);
  for (const [k, t] of times.entries()) {
    for (let i = 0; i < target.length; i++) x[k * target.length + i] = t * target[i]! + (1 - t) * source[i]!;
  }
  return { x, time: Float64Array.from({ length: times.length * pairs }, (_, i) => times[Math.floor(i / pairs)]!) };
}

function convergenceOf({ residuals, iterations, converged }: SpectralNorms, tolerance: number): Convergence {
  return {
    count: residuals.length,
    converged: converged.reduce((sum, one) => sum + one, 0),
    tolerance,
    meanIterations: iterations.reduce((sum, one) => sum + one, 0) / iterations.length,
    mostIterations: Math.max(...iterations),
    largestResidual: residuals.reduce((most, one) => Math.max(most, one), 0),
  };
}

/**
 * Spectral norms of dv(x, t)/dx at xt = t x1 + (1 - t) x0 for each time, and exp(integral of L_t dt) made of their medians and maxima.
 *
 * Source: [briq:26], appendix B, which takes the median over points for L_t; the theorem it serves [benton:23] needs the Lipschitz constant,
 * a supremum over all x, to which the maximum over some points is a lower bound. The paper prints xt = x0 + (1 - t) x1 there, with x1 the
 * datum; that is on no path between the two, and must be t x1 + (1 - t) x0.
 * @param times  ascending, in (0, 1).
 * @throws ShapeError if the pairs do not fit the network; the signal's reason if it aborts.
 */
export async function lipschitzOverTime(
  products: JacobianProducts,
  { pairs, times }: { readonly pairs: PathPairs; readonly times: readonly number[] },
  { tolerance = 0.02, ...options }: SpectralNormOptions,
): Promise<LipschitzEstimate> {
  const found = await spectralNorms(products, allPoints(pairs, times, products.elements), { tolerance, ...options });
  const each = found.norms.length / times.length;
  const atTimes = times.map((time, k): LipschitzAtTime => {
    const norms = found.norms.slice(k * each, (k + 1) * each);
    return { time, median: median(norms), mean: estimateMean(norms), maximum: Math.max(...norms) };
  });
  const integral = (of: (one: LipschitzAtTime) => number) => integralOverTime(times, atTimes.map(of));
  const [medianIntegral, maximumIntegral] = [integral((one) => one.median), integral((one) => one.maximum)];
  return {
    times: atTimes,
    medianIntegral,
    maximumIntegral,
    medianGrowth: Math.exp(medianIntegral),
    maximumGrowth: Math.exp(maximumIntegral),
    convergence: convergenceOf(found, tolerance),
  };
}
