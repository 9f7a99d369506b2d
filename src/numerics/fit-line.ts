import { ConfigError } from '../errors.ts';

/** A straight line through points, with what it rests on. */
export interface LineFit {
  /** The line's value at x = 0. */
  readonly intercept: number;
  readonly slope: number;
  /** Standard error of the intercept, if deviations from the line are independent and alike; NaN for two points. */
  readonly interceptError: number;
}

/**
 * The line y = intercept + slope x of least squares.
 *
 * Source: [efron:93], section 9.2 (the usual formulas).
 * @throws ConfigError if there are not two different x.
 */
export function fitLine(x: readonly number[], y: readonly number[]): LineFit {
  const n = x.length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  const spread = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  if (!(spread > 0)) {
    throw new ConfigError({ expected: 'a line through two different x', got: `[${x}]`, where: 'numerics/fit-line' });
  }
  const slope = x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0) / spread;
  const intercept = my - slope * mx;
  const squares = y.reduce((sum, value, i) => sum + (value - intercept - slope * x[i]!) ** 2, 0);
  return { intercept, slope, interceptError: Math.sqrt((squares / (n - 2)) * (1 / n + mx ** 2 / spread)) };
}
