import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * The explicit midpoint method (Runge), order 2, two evaluations a step: x <- x + h v(x + h/2 v(x, t), t + h/2).
 * Source: [hairer:93], eq. (II.1.4).
 */
export const midpoint = explicitRungeKutta('midpoint', {
  order: 2,
  nodes: [0, 1 / 2],
  matrix: [[], [1 / 2]],
  weights: [0, 1],
});
