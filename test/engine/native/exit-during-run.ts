/** A process that exits with status 3 during a run of many seconds. */
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { longModel } from '../tiny-models.ts';

const runtime = await openNativeRuntime({ threads: 1 });
const source = longModel(128, 1_000_000);
const session = await runtime.createSession(source);
const allocate = (specs: typeof source.inputs) => Object.fromEntries(specs.map((s) => [s.name, runtime.allocate(s)]));
const run = session.run(session.bind(allocate(source.inputs), allocate(source.outputs)));
setTimeout(() => process.exit(3), 50);
await run;
