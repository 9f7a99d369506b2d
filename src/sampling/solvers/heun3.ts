import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * Heun's method with three stages, order 3: k2 at t + h/3 after k1, k3 at t + 2h/3 after k2, x <- x + h/4 (k1 + 3 k3).
 * Source: [hairer:93], table II.1.1.
 */
export const heun3 = explicitRungeKutta('heun3', {
  order: 3,
  nodes: [0, 1 / 3, 2 / 3],
  matrix: [[], [1 / 3], [0, 2 / 3]],
  weights: [1 / 4, 0, 3 / 4],
});
