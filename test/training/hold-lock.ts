/** A process that takes the lock of a run directory, says so, and lives until it is killed. */
import { lockRun } from '../../src/training/run-lock.ts';

lockRun(process.argv[2]);
console.log('held');
setInterval(() => {}, 1000);
