/** A mean with what it rests on. */
export interface Estimate {
  readonly mean: number;
  /** Standard error of the mean: standard deviation of the values (n - 1) over sqrt(n); NaN for a single value. */
  readonly standardError: number;
  /** Number n of values. */
  readonly count: number;
}

/** The mean of independent values with its standard error, in float64. */
export function estimateMean(values: ArrayLike<number>): Estimate {
  const count = values.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (values[i]! - mean) ** 2;
  return { mean, standardError: Math.sqrt(squares / (count - 1) / count), count };
}

/**
 * The mean of the differences first - second of values that belong together in pairs, such as those of the same seed. What
 * both have in common cancels, so its error is often far below that of the difference of two means.
 */
export function estimateDifference(first: ArrayLike<number>, second: ArrayLike<number>): Estimate {
  return estimateMean(Float64Array.from(first, (value, i) => value - second[i]!));
}
