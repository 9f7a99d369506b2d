import { explicitRungeKutta } from './explicit-runge-kutta.ts';

/** Euler's method, order 1, one evaluation a step: x <- x + h v(x, t). Source: [hairer:93], eq. (I.7.3). */
export const euler = explicitRungeKutta('euler', { order: 1, nodes: [0], matrix: [[]], weights: [1] });
