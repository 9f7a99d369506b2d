import { z } from 'zod';
import { dopri5 } from '../../../sampling/solvers/dopri5.ts';
import { fieldOf, rightHandSide } from './right-hand-sides.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.object({
  cases: z.array(
    z.object({
      rhs: z.string(),
      y0: z.array(z.number()).min(1),
      tol: z.number(),
      y1: z.array(z.number()),
      nfe: z.int(),
      accepted: z.int(),
      rejected: z.int(),
      largest_t_evaluated: z.number(),
    }),
  ),
});

/** dopri5 with torchdiffeq's controller in float64: end points to 1e-11, counts of evaluations and steps exactly. */
export const replayOdeDopri5: Replayer = async (section, tally) => {
  for (const golden of sectionSchema.parse(section).cases) {
    const f = rightHandSide(golden.rhs);
    if (f === null) {
      tally.skip();
      continue;
    }
    const solver = dopri5({
      relativeTolerance: golden.tol,
      absoluteTolerance: golden.tol,
      controller: 'torchdiffeq',
    });
    let latest = 0;
    const field = fieldOf(f, (time) => {
      latest = Math.max(latest, time);
    });
    const x0 = Float64Array.from(golden.y0);
    const solution = await solver.solve({ field, x0, batch: x0.length }, Float64Array.of(0, 1));
    const what = `${golden.rhs}, tolerance ${golden.tol}`;
    for (const [i, expected] of golden.y1.entries()) {
      tally.compare(`${what}, element ${i}`, { got: solution.x[i]!, expected, tolerance: 1e-11 });
    }
    const counts = [
      ['evaluations', solution.evaluations[0]!, golden.nfe, 0],
      ['accepted steps', solution.accepted[0]!, golden.accepted, 0],
      ['rejected steps', solution.rejected[0]!, golden.rejected, 0],
      ['largest time', latest, golden.largest_t_evaluated, 1e-11],
    ] as const;
    for (const [name, got, expected, tolerance] of counts) {
      tally.compare(`${what}, ${name}`, { got, expected, tolerance });
    }
  }
};
