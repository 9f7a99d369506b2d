/** Two steps of a DiT in a process of its own: prints by how many bytes they raise its resident memory, and the estimate. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { dit } from '../../src/models/dit.ts';
import type { Rematerialisation } from '../../src/models/layers/rematerialisation.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { linearPath } from '../../src/path/linear.ts';
import { adam } from '../../src/training/adam.ts';
import { constantSchedule } from '../../src/training/schedule.ts';
import type { StepParts } from '../../src/training/step.ts';
import { stepMemory } from '../../src/training/step-memory.ts';
import { createTrainer } from '../../src/training/trainer.ts';
import { plainPreparation } from './plain-preparation.ts';

const batch = 8;
const shape: [number, number, number] = [4, 32, 32];
const model = dit({ shape, patch: 2, depth: 6, width: 64, heads: 4, classes: null });
const parts: StepParts = {
  model,
  parameters: parameterTypes(model.parameters),
  path: linearPath(),
  optimizer: adam({ betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 }),
  batch,
  clip: 1,
  ema: false,
  accumulate: 1,
  rematerialise: process.argv[2] as Rematerialisation,
};

const resident = (field: 'VmRSS' | 'VmHWM') =>
  1024 * Number(new RegExp(`${field}:\\s*(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const runtime = await openNativeRuntime({ threads: 1 });
const trainer = await createTrainer({
  runtime,
  parts,
  preparation: plainPreparation(),
  learningRate: 1e-4,
  schedule: constantSchedule({ warmupImages: 0 }),
  ema: null,
  initial: initializeParameters(model.parameters, 0),
});
const elements = batch * elementCount(shape);
const inputs = {
  source: new Float32Array(elements).fill(0.5),
  target: new Float32Array(elements),
  time: new Float32Array(batch),
};
// The high-water mark is set back to what is resident now; see proc(5).
writeFileSync('/proc/self/clear_refs', '5');
const before = resident('VmRSS');
for (let step = 0; step < 2; step++) await trainer.step([{ inputs, commit() {} }]);
console.log(JSON.stringify({ measured: resident('VmHWM') - before, ...stepMemory(parts) }));
trainer.release();
await runtime.release();
