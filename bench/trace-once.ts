/** One cold compilation in a process of its own: prints its times and peak memory as a line of JSON. */
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { stepGraph } from '../src/training/step.ts';
import { ditS2, tinyDit } from './step-cases.ts';
import { stepParts } from './training-step.ts';

const [name, threads] = process.argv.slice(2);
const runtime = await openNativeRuntime({ threads: Number(threads) });
const start = performance.now();
const graph = stepGraph(stepParts(name === 'tiny' ? tinyDit : ditS2));
const traced = performance.now();
const model = emitModel(graph, runtime);
const emitted = performance.now();
const session = await runtime.createSession(model);
const loaded = performance.now();
session.release();
runtime.release();
console.log(
  JSON.stringify({
    ms: loaded - start,
    traceMs: traced - start,
    emitMs: emitted - traced,
    sessionMs: loaded - emitted,
    calls: graph.calls.length,
    modelBytes: model.bytes.byteLength,
    peakRssMiB: process.resourceUsage().maxRSS / 1024,
  }),
);
