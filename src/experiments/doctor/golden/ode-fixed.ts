import { z } from 'zod';
import { SOLVERS, type SolverName } from '../../../sampling/solvers/solver-table.ts';
import { explicitGrid } from '../../../sampling/time-grid.ts';
import { fieldOf, rightHandSide } from './right-hand-sides.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.object({
  rhs: z.string(),
  x0: z.number(),
  t: z.tuple([z.number(), z.number()]),
  cases: z.array(z.object({ method: z.string(), steps: z.int().min(1), nfe: z.int(), x1: z.number() })),
});

/** Names of solvers in golden files, where they differ from ours. */
const names: Readonly<Record<string, SolverName>> = { heun2: 'heun', rk4_38: 'rk4-38' };

function solverNamed(method: string) {
  const name = names[method] ?? method;
  return Object.hasOwn(SOLVERS, name) ? SOLVERS[name as SolverName] : null;
}

/** Fixed-step solvers on equal steps in float64: end point to 1e-13, evaluations exactly. */
export const replayOdeFixed: Replayer = async (section, tally) => {
  const { rhs, x0, t, cases } = sectionSchema.parse(section);
  const f = rightHandSide(rhs);
  for (const { method, steps, nfe, x1 } of cases) {
    const solver = solverNamed(method);
    if (f === null || solver === null) {
      tally.skip();
      continue;
    }
    const grid = explicitGrid(Array.from({ length: steps + 1 }, (_, i) => t[0] + ((t[1] - t[0]) * i) / steps));
    const { x, evaluations } = await solver.solve({ field: fieldOf(f), x0: Float64Array.of(x0), batch: 1 }, grid);
    tally.compare(`${method}, ${steps} steps`, { got: x[0]!, expected: x1, tolerance: 1e-13 });
    tally.compare(`${method}, ${steps} steps, evaluations`, { got: evaluations[0]!, expected: nfe, tolerance: 0 });
  }
};
