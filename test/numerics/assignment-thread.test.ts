import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { NumericalError, ShapeError } from '../../src/errors.ts';
import { solveAssignment } from '../../src/numerics/assignment.ts';
import { type AssignmentThread, startAssignmentThread } from '../../src/numerics/assignment-thread.ts';
import { goldenCosts } from './assignment-problems.ts';

const opened: AssignmentThread[] = [];
afterEach(() => Promise.all(opened.splice(0).map((thread) => thread.close())));

function open(): AssignmentThread {
  const thread = startAssignmentThread();
  opened.push(thread);
  return thread;
}

const problem = (seed: number) =>
  goldenCosts({ shape: [60, 60], seed, maximize: false, rule: 'distances', dimensions: 4, total: 0 });

describe('an assignment thread', () => {
  it('solves as the function does, several problems at once, with starts', async () => {
    const thread = open();
    const expected = [1, 2, 3].map((seed) => solveAssignment(problem(seed), { maximize: seed === 2 }));
    const got = await Promise.all([1, 2, 3].map((seed) => thread.solve(problem(seed), { maximize: seed === 2 })));
    expect(got).toEqual(expected);
    const start = { rowToColumn: Int32Array.from({ length: 60 }, (_, i) => i), columnDuals: new Float64Array(60) };
    expect(await thread.solve(problem(1), { start })).toEqual(solveAssignment(problem(1), { start }));
  });

  it('takes the buffer of the costs, and shares one that is shared', async () => {
    const thread = open();
    const costs = problem(4);
    const shared = new Float32Array(new SharedArrayBuffer(costs.values.byteLength));
    shared.set(costs.values);
    const expected = solveAssignment(costs);
    expect(await thread.solve({ ...costs, values: shared })).toEqual(expected);
    expect(shared.length).toBe(3600);
    expect(await thread.solve(costs)).toEqual(expected);
    expect(costs.values.length).toBe(0);
  });

  it('passes errors on as they are, and goes on', async () => {
    const thread = open();
    const wrong = thread.solve({ values: new Float64Array(3), rows: 2, columns: 2 });
    await expect(wrong).rejects.toThrow(ShapeError);
    const invalid = thread.solve({ values: Float64Array.of(Number.NaN), rows: 1, columns: 1 });
    await expect(invalid).rejects.toThrow(NumericalError);
    expect((await thread.solve({ values: Float64Array.of(3), rows: 1, columns: 1 })).total).toBe(3);
  });

  it('drops what it has not solved when it is closed, and takes no more', async () => {
    const thread = startAssignmentThread();
    const dropped = expect(thread.solve(problem(5))).rejects.toThrow('closed');
    await thread.close();
    await dropped;
    await expect(thread.solve(problem(5))).rejects.toThrow('closed');
    await thread.close();
  });

  it('keeps the process alive while it solves, and not while it is idle', async () => {
    const file = fileURLToPath(new URL('../../src/numerics/assignment-thread.ts', import.meta.url));
    const program = `
      const { startAssignmentThread } = await import(${JSON.stringify(file)});
      const thread = startAssignmentThread();
      thread.solve({ values: Float64Array.of(5), rows: 1, columns: 1 }).then(({ total }) => console.log('total', total));`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
    expect(stdout.trim()).toBe('total 5');
  });
});
