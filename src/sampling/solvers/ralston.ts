import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * Ralston's method with two stages, order 2, with the smallest bound of the error among these:
 * x <- x + h/4 (k1 + 3 v(x + 2h/3 k1, t + 2h/3)). Source: [ralston:62].
 */
export const ralston = explicitRungeKutta('ralston', {
  order: 2,
  nodes: [0, 2 / 3],
  matrix: [[], [2 / 3]],
  weights: [1 / 4, 3 / 4],
});
