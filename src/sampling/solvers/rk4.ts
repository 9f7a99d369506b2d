import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * The classical Runge-Kutta method, order 4, four evaluations a step: x <- x + h/6 (k1 + 2 k2 + 2 k3 + k4). What torchdiffeq
 * calls rk4 is the 3/8 rule (`rk4-38.ts`). Source: [hairer:93], table II.1.2.
 */
export const rk4 = explicitRungeKutta('rk4', {
  order: 4,
  nodes: [0, 1 / 2, 1 / 2, 1],
  matrix: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  weights: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
});
