/** Entry file of an assignment thread: solves what it is sent. */
import { parentPort } from 'node:worker_threads';
import { type AssignmentOptions, type CostMatrix, solveAssignment } from './assignment.ts';
import { packError } from './packed-error.ts';

/** A problem to solve. */
export interface AssignmentJob {
  readonly job: number;
  readonly costs: CostMatrix;
  readonly options: AssignmentOptions;
}

if (parentPort !== null) {
  const port = parentPort;
  port.on('message', (message: AssignmentJob | null) => {
    if (message === null) {
      port.close();
      return;
    }
    const { job, costs, options } = message;
    try {
      const assignment = solveAssignment(costs, options);
      const { rowToColumn, rowDuals, columnDuals } = assignment;
      const buffers = [rowToColumn, rowDuals, columnDuals].map((array) => array.buffer as ArrayBuffer);
      port.postMessage({ job, assignment }, buffers);
    } catch (error) {
      port.postMessage({ job, error: packError(error) });
    }
  });
}
