/** The assignment solver in a thread of its own, for problems that take long. */
import { FlowError } from '../errors.ts';
import type { Assignment, AssignmentOptions, CostMatrix } from './assignment.ts';
import { type PackedError, unpackError } from './packed-error.ts';
import { endThread, startThread } from './thread.ts';

/** A thread that solves one problem after another. While it is idle, it does not keep the process alive. */
export interface AssignmentThread {
  /**
   * `solveAssignment`, elsewhere. The buffer of `costs.values` is transferred, all of it where the array is a view on a part: nothing is copied, and the
   * array is empty afterwards. One on a SharedArrayBuffer is shared instead, and is not to be changed until the promise is settled.
   */
  solve(costs: CostMatrix, options?: AssignmentOptions): Promise<Assignment>;
  /** Ends the thread; problems that are not solved are dropped. */
  close(): Promise<void>;
}

type Answer = { readonly job: number } & ({ readonly assignment: Assignment } | { readonly error: PackedError });

interface Waiting {
  resolve(assignment: Assignment): void;
  reject(error: Error): void;
}

/** Starts the thread. */
export function startAssignmentThread(): AssignmentThread {
  const waiting = new Map<number, Waiting>();
  let jobs = 0;
  let failure: Error | null = null;
  const worker = startThread(import.meta.url, './assignment-worker');

  function fail(error: Error): void {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
    worker.unref();
  }

  worker.on('message', (answer: Answer) => {
    const place = waiting.get(answer.job);
    waiting.delete(answer.job);
    if (waiting.size === 0) worker.unref();
    if ('assignment' in answer) place?.resolve(answer.assignment);
    else place?.reject(unpackError(answer.error));
  });
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('messageerror', fail);
  worker.on('exit', (code) => fail(new FlowError(`The assignment thread ended early, with exit status ${code}.`)));

  return {
    solve({ values, rows, columns }, options = {}) {
      if (failure !== null) return Promise.reject(failure);
      const job = jobs++;
      return new Promise((resolve, reject) => {
        const transferred = values.buffer instanceof ArrayBuffer ? [values.buffer] : [];
        worker.postMessage({ job, costs: { values, rows, columns }, options }, transferred);
        waiting.set(job, { resolve, reject });
        worker.ref();
      });
    },
    async close() {
      fail(new FlowError('The assignment thread is closed.'));
      await endThread(worker);
    },
  };
}
