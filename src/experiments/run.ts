/** What the command line calls: training and sampling of runs. */
import type { Runner } from './run-types.ts';
import { sample } from './sample-run.ts';
import { train } from './train-run.ts';

export const runner: Runner = { train, sample };
