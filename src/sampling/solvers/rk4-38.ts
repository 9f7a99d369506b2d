import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * Kutta's 3/8 rule, order 4, four evaluations a step: x <- x + h/8 (k1 + 3 k2 + 3 k3 + k4). It is what torchdiffeq calls rk4.
 * Source: [hairer:93], table II.1.2.
 */
export const rk438 = explicitRungeKutta('rk4-38', {
  order: 4,
  nodes: [0, 1 / 3, 2 / 3, 1],
  matrix: [[], [1 / 3], [-1 / 3, 1], [1, -1, 1]],
  weights: [1 / 8, 3 / 8, 3 / 8, 1 / 8],
});
