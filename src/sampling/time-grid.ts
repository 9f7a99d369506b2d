/**
 * Time grids: the times at which a solver steps from source to data. A grid of n steps has n + 1 times, float64, strictly
 * increasing, from 0 exactly to 1 exactly (an explicit grid may cover a part of that).
 */

import { ConfigError } from '../errors.ts';

function fault(expected: string, got: string): ConfigError {
  return new ConfigError({ expected, got, where: 'sampling/time-grid' });
}

function gridOf(steps: number, timeAt: (fraction: number) => number): Float64Array {
  if (!Number.isInteger(steps) || steps < 1) throw fault('`steps` to be an integer of at least 1', String(steps));
  const grid = Float64Array.from({ length: steps + 1 }, (_, i) => timeAt(i / steps));
  grid[0] = 0;
  grid[steps] = 1;
  return checkIncreasing(grid);
}

/**
 * Returns the grid itself if its times are finite and strictly increasing.
 * @throws ConfigError naming the first pair that is not, or if there are fewer than two times.
 */
export function checkIncreasing(grid: Float64Array): Float64Array {
  if (grid.length < 2) throw fault('a time grid of at least two times', String(grid.length));
  for (let i = 1; i < grid.length; i++) {
    if (grid[i]! > grid[i - 1]! && Number.isFinite(grid[i]! - grid[i - 1]!)) continue;
    throw fault('the times of a grid to be strictly increasing', `${grid[i - 1]}, ${grid[i]} at index ${i - 1}`);
  }
  return grid;
}

/** Equal steps: time i = i/n. @throws ConfigError if `steps` is no integer of at least 1. */
export function uniformGrid(steps: number): Float64Array {
  return gridOf(steps, (fraction) => fraction);
}

/** Options of `rhoGrid`; noise levels are sigma = (1 - time)/time, the noise's share over the datum's on the linear path. */
export interface RhoGridOptions {
  /** Evenness: 1 gives equal steps in sigma, larger values more steps near the data. Default 7. */
  readonly rho?: number;
  /** Smallest noise level before the data, > 0. Default 0.002. */
  readonly sigmaMin?: number;
  /** Largest noise level. Default 80. */
  readonly sigmaMax?: number;
}

/**
 * EDM's noise levels on the linear path: sigma_i = (sigmaMax^(1/rho) + i/(n-1) (sigmaMin^(1/rho) - sigmaMax^(1/rho)))^rho for
 * i < n and sigma_n = 0, time_i = 1/(1 + sigma_i); the first time, 1/(1 + sigmaMax), is moved to 0 (pure noise).
 *
 * Source: [karras:22], eq. (5).
 * @throws ConfigError if `steps` is no integer of at least 1, or not 0 < sigmaMin < sigmaMax and rho > 0.
 */
export function rhoGrid(steps: number, options: RhoGridOptions = {}): Float64Array {
  const { rho = 7, sigmaMin = 0.002, sigmaMax = 80 } = options;
  if (!(rho > 0 && sigmaMin > 0 && sigmaMax > sigmaMin && Number.isFinite(sigmaMax))) {
    throw fault('0 < sigmaMin < sigmaMax and rho > 0', `${sigmaMin}, ${sigmaMax} and ${rho}`);
  }
  const [high, low] = [sigmaMax ** (1 / rho), sigmaMin ** (1 / rho)];
  return gridOf(steps, (fraction) => 1 / (1 + (high + ((fraction * steps) / (steps - 1)) * (low - high)) ** rho));
}

/**
 * Steps that are short at both ends: time i = (1 - cos(pi i/n))/2, the Chebyshev extreme points.
 * @throws ConfigError if `steps` is no integer of at least 1.
 */
export function cosineGrid(steps: number): Float64Array {
  return gridOf(steps, (fraction) => Math.sin((Math.PI / 2) * fraction) ** 2);
}

/**
 * Equal steps with the noise level shifted: for noise level s = 1 - i/n, time = 1 - shift s/(1 + (shift - 1) s). A shift above
 * 1 gives shorter steps near the noise, as large images want; 1 is the uniform grid.
 *
 * Source: [esser:24], eq. (23), where time runs from data to noise.
 * @param shift  > 0.
 * @throws ConfigError if `steps` is no integer of at least 1, or `shift` not positive.
 */
export function shiftedGrid(steps: number, shift: number): Float64Array {
  if (!(shift > 0 && Number.isFinite(shift))) throw fault('`shift` to be positive', String(shift));
  return gridOf(steps, (fraction) => fraction / (fraction + shift * (1 - fraction)));
}

/**
 * A grid of given times, which may cover a part of [0, 1].
 * @throws ConfigError if they are fewer than two, not strictly increasing or outside [0, 1].
 */
export function explicitGrid(times: readonly number[] | Float64Array): Float64Array {
  const grid = checkIncreasing(Float64Array.from(times));
  if (grid[0]! >= 0 && grid.at(-1)! <= 1) return grid;
  throw fault('the times of a grid to be in [0, 1]', `${grid[0]} to ${grid.at(-1)}`);
}

/** The grid from its last time to its first, which takes a solver from data to noise. */
export function reversedGrid(grid: Float64Array): Float64Array {
  return grid.toReversed();
}
