/** All solvers by name, for configs and for the laws that every solver keeps. */

import { dopri5 } from './dopri5.ts';
import { euler } from './euler.ts';
import { heun } from './heun.ts';
import { heun3 } from './heun3.ts';
import { midpoint } from './midpoint.ts';
import { ralston } from './ralston.ts';
import { rk4 } from './rk4.ts';
import { rk438 } from './rk4-38.ts';

/** Each solver under its name; `dopri5` with its default settings. */
export const SOLVERS = { euler, midpoint, heun, ralston, heun3, rk4, 'rk4-38': rk438, dopri5: dopri5() } as const;

export type SolverName = keyof typeof SOLVERS;
