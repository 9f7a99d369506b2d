/** Samples that follow the exact field of the data first and a trained network then. */
import { ConfigError } from '../errors.ts';
import { stepToEnd, usualLastStep } from '../sampling/last-step.ts';
import type { InitialValueProblem, Solver, VelocityField } from '../sampling/solvers/solver.ts';
import { explicitGrid } from '../sampling/time-grid.ts';

/** Times that are nearer than this to each other are one. */
const sameTime = 1e-9;

/** Where samples start, the network that they follow, and the field that they follow before. */
export interface HybridProblem extends InitialValueProblem<Float32Array> {
  /** The exact field, from time 0 to the switch. */
  readonly exact: VelocityField<Float32Array>;
}

export interface HybridOptions {
  /** Times tau at which samples change from the exact field to the network: ascending, in [0, 1]. */
  readonly switches: readonly number[];
  readonly solver: Solver;
  /** Times from 0 to 1 at which the solver steps; those of the switches are added. */
  readonly grid: Float64Array;
}

/** Ascending times without those that are equal to one before. */
function distinct(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b).filter((time, i, all) => i === 0 || time - all[i - 1]! > sameTime);
}

function checkSwitches(switches: readonly number[]): void {
  const ascending = switches.every((time, i) => i === 0 || time > switches[i - 1]!);
  if (switches.length > 0 && ascending && switches[0]! >= 0 && switches.at(-1)! <= 1) return;
  throw new ConfigError({
    expected: 'times of the switch, ascending in [0, 1]',
    got: `[${switches.join(', ')}]`,
    where: 'analysis/hybrid-sampling',
  });
}

/** States of the exact flow at times below 1; the first is that of time 0. */
async function followExact(
  { exact, x0, batch }: HybridProblem,
  times: readonly number[],
  solver: Solver,
): Promise<readonly Float32Array[]> {
  if (times.length < 2) return [x0];
  const solution = await solver.solve({ field: exact, x0, batch }, explicitGrid(times), { trajectory: true });
  return solution.trajectory ?? [];
}

/**
 * For each switch tau the samples that follow u* on [0, tau] and the network on [tau, 1], all from the same noise. The part by u* is
 * solved once for all switches. With tau = 0 they are the network's own samples; with tau = 1 they are those of u*, which are data: its
 * last step is one of Euler's, as u* is unbounded at 1.
 *
 * Source: [bertrand:25], section 3 and figure 3.
 * @returns float32 [batch, elements] for each switch.
 * @throws ConfigError if the switches are not ascending in [0, 1]; otherwise as `Solver.solve`.
 */
export async function hybridSamples(
  problem: HybridProblem,
  { switches, solver, grid }: HybridOptions,
): Promise<Float32Array[]> {
  checkSwitches(switches);
  const last = Math.min(switches.at(-1)!, 1 - sameTime);
  const ending = last === switches.at(-1) ? [] : [1 - usualLastStep];
  const exactTimes = distinct([0, ...grid, ...switches, ...ending]).filter((time) => time <= last);
  const states = await followExact(problem, exactTimes, solver);
  const samples: Float32Array[] = [];
  for (const tau of switches) {
    if (tau > 1 - sameTime) {
      const ends = { field: problem.exact, x0: states.at(-1)!, batch: problem.batch };
      samples.push(await stepToEnd(ends, new Float64Array(problem.batch).fill(exactTimes.at(-1)!)));
      continue;
    }
    const index = exactTimes.findIndex((time) => Math.abs(time - tau) <= sameTime);
    const start = exactTimes[index]!;
    const times = [start, ...[...grid].filter((time) => time > start + sameTime)];
    const { x } = await solver.solve({ ...problem, x0: states[index]! }, explicitGrid(times));
    samples.push(x);
  }
  return samples;
}
