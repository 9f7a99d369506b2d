import { z } from 'zod';
import { interpret } from '../../../engine/interpreter.ts';
import { tensorType, trace } from '../../../engine/trace.ts';
import { linearPath } from '../../../path/linear.ts';
import { dopri5 } from '../../../sampling/solvers/dopri5.ts';
import { SOLVERS } from '../../../sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../../sampling/time-grid.ts';
import { fieldOf, gaussianVelocity } from './right-hand-sides.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.object({
  cases: z.array(z.object({ m: z.number(), s: z.number(), t: z.number(), x: z.number(), v: z.number() })).min(1),
  x0: z.number(),
  x1: z.number(),
});

interface Point {
  readonly m: number;
  readonly s: number;
  readonly t: number;
  readonly x: number;
}

/**
 * The velocity by the conversions of the linear path from the mean of the target (or, at time 1, of the source) given xt:
 * E[target | x] = m + t s^2 / V (x - t m), E[source | x] = (1 - t) / V (x - t m), V = (1 - t)^2 + t^2 s^2.
 */
function pathVelocity({ m, s, t, x }: Point): number {
  const residual = (x - t * m) / ((1 - t) ** 2 + (t * s) ** 2);
  const path = linearPath();
  const type = tensorType([1], 'float64');
  const graph = trace(
    ({ mean, xt, time }) => {
      const at = { xt, time };
      return { velocity: t < 1 ? path.velocityFromTarget(mean, at) : path.velocityFromSource(mean, at) };
    },
    { mean: type, xt: type, time: type },
  );
  const mean = t < 1 ? m + t * s ** 2 * residual : (1 - t) * residual;
  return interpret(graph, { mean: [mean], xt: [x], time: [t] }).velocity![0]!;
}

/** The exact field between normal distributions: values to 1e-12, and its flow map as solved, to 1e-8. */
export const replayGaussianField: Replayer = async (section, tally) => {
  const { cases, x0, x1 } = sectionSchema.parse(section);
  for (const { v: expected, ...point } of cases) {
    const { m, s, t, x } = point;
    const got = gaussianVelocity(m, s)(x, t);
    tally.compare(`closed form at time ${t}`, { got, expected, tolerance: 1e-12 });
    tally.compare(`linear path at time ${t}`, { got: pathVelocity(point), expected, tolerance: 1e-12 });
  }
  const { m, s } = cases[0]!;
  const problem = { field: fieldOf(gaussianVelocity(m, s)), x0: Float64Array.of(x0), batch: 1 };
  const solvers = { dopri5: dopri5({ relativeTolerance: 1e-10, absoluteTolerance: 1e-10 }), rk4: SOLVERS.rk4 };
  for (const [name, solver] of Object.entries(solvers)) {
    const { x } = await solver.solve(problem, uniformGrid(200));
    tally.compare(`flow map by ${name}`, { got: x[0]!, expected: x1, tolerance: 1e-8 });
  }
};
