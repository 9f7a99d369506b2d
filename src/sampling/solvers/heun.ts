import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/**
 * Heun's method with two stages (explicit trapezoidal rule), order 2: x <- x + h/2 (k1 + v(x + h k1, t + h)). Not to be
 * confused with Heun's method of order 3 (`heun3.ts`). EDM's sampler is this one, but for its last step, which is Euler's.
 * Sources: [hairer:93], section II.1; [karras:22], algorithm 1.
 */
export const heun = explicitRungeKutta('heun', {
  order: 2,
  nodes: [0, 1],
  matrix: [[], [1]],
  weights: [1 / 2, 1 / 2],
});
