/**
 * Opens the exact field of made data in a process of its own, asks it twice, and prints its highest resident memory less the data, in bytes.
 * Arguments: count, elements, times of the points..., threads.
 */
import { engineClosedForm } from '../src/closed-form/engine-closed-form.ts';
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { madeRows, pathPoints } from './field-points.ts';
import { watchResidentMemory } from './resident-memory.ts';

const [count, elements, ...rest] = process.argv.slice(2).map(Number);
const time = Float64Array.from(rest.slice(0, -1));
const rows = madeRows(count, elements);
const x = await pathPoints(rows, time);
const runtime = await openNativeRuntime({ threads: rest.at(-1)! });
const highest = watchResidentMemory();
const field = await engineClosedForm(runtime, rows);
for (let i = 0; i < 2; i++) await field.evaluate(x, time);
console.log(highest() - 4 * count * elements);
field.release();
