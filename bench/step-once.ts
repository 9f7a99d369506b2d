/** A few steps of a case in a process of their own: prints its peak memory as a line of JSON. */
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { peakResidentBytes } from './resident-memory.ts';
import { type StepName, stepSpecs } from './step-cases.ts';
import { trainingStep } from './training-step.ts';

// As step-memory.ts calls it.
const [name, threads, steps] = process.argv.slice(2) as [StepName, string, string];
const runtime = await openNativeRuntime({ threads: Number(threads) });
const step = await trainingStep(runtime, stepSpecs[name]());
await step.run(0, Number(steps));
console.log(JSON.stringify({ bytes: peakResidentBytes() }));
step.release();
await runtime.release();
