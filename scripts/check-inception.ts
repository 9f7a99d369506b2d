// Checks the Inception of features `mixed5`, as converted, against its original weights in TensorFlow.js (wasm) and, with its gradient
// by the pixels, against PyTorch in float64. The peers are installed outside of the project:
//   npm install --prefix peer @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
//   python3 -m venv peer/venv && peer/venv/bin/pip install torch==2.13.0 numpy
//   node --import tsx scripts/check-inception.ts peer peer/venv/bin/python
// Ends with status 1 if the maps differ by more than 1e-4 or the gradient by more than 1e-3 of its norm.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePeerNetwork } from '../bench/peer-network.ts';
import type { HostArray } from '../src/engine/dtype.ts';
import { gradient } from '../src/engine/gradient.ts';
import { type NativeRuntime, openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { importOnnx } from '../src/engine/onnx/import-model.ts';
import { constantTensor, multiply, reduceSum } from '../src/engine/ops.ts';
import { createStepper } from '../src/engine/stepper.ts';
import { type TensorTree, tensorType, trace } from '../src/engine/trace.ts';
import { featurePresets } from '../src/metrics/features/feature-presets.ts';
import { npmPackageFiles } from '../src/metrics/features/npm-package.ts';
import { tracedFeatures } from '../src/metrics/features/onnx-features.ts';
import { packagedModel, packagedNetwork } from '../src/metrics/features/packaged-network.ts';
import type { TfjsModel } from '../src/metrics/features/tfjs/tfjs-model.ts';
import { mulberry32Array } from '../src/numerics/mulberry32.ts';

const side = 64;
const { packaged } = featurePresets.mixed5.source;

/** Outputs of a function of float32 inputs. */
async function execute(
  runtime: NativeRuntime,
  f: (x: ReturnType<typeof constantTensor>) => TensorTree,
  input: { readonly shape: readonly number[]; readonly values: Float32Array },
): Promise<Record<string, HostArray>> {
  const graph = trace(({ x }) => f(x), { x: tensorType(input.shape) });
  const stepper = await createStepper(runtime, { state: {}, programs: { run: { model: emitModel(graph) } } });
  try {
    return await stepper.run('run', { inputs: { x: input.values } });
  } finally {
    stepper.release();
  }
}

/** The maps of the layer as TensorFlow.js computes them, [299 x 299] pixels with channels last. */
async function mapsOfTensorflow(peer: string, pixels: Float32Array): Promise<Float32Array> {
  const require = createRequire(join(resolve(peer), 'package.json'));
  const tf = require('@tensorflow/tfjs');
  const wasm = require('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(join(resolve(peer), 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
  await tf.setBackend('wasm');
  const { model, weights } = packagedModel(packaged, await npmPackageFiles(packaged.package));
  const { modelTopology, weightsManifest }: TfjsModel = model;
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const whole = await tf.loadLayersModel({
    load: async () => ({ modelTopology, weightSpecs, weightData: new Uint8Array(weights).buffer }),
  });
  const cut = tf.model({ inputs: whole.inputs, outputs: whole.getLayer(packaged.output).output });
  console.log(`TensorFlow.js ${tf.version.tfjs} (${tf.getBackend()})`);
  return cut.predict(tf.tensor4d(pixels, [1, 299, 299, 3])).dataSync();
}

/** Values with channels first. */
function channelsFirst(values: Float32Array, channels: number): Float32Array {
  const area = values.length / channels;
  return values.map((_, to) => values[(to % area) * channels + Math.floor(to / area)]!);
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} values`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [squares, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    squares += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(squares / norm);
}

async function checkMaps(runtime: NativeRuntime, network: Uint8Array, peer: string): Promise<boolean> {
  const pixels = Float32Array.from(mulberry32Array(1, 299 * 299 * 3));
  const imported = importOnnx(network);
  const input = { shape: [1, 3, 299, 299], values: channelsFirst(pixels, 3) };
  const { mixed5 } = await execute(runtime, (x) => imported.apply({}, { input_1: x }), input);
  const wanted = channelsFirst(await mapsOfTensorflow(peer, pixels), 768);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = largestDifference(mixed5 as Float32Array, wanted);
  console.log(
    `maps of mixed5: ${wanted.length} values up to ${largest.toPrecision(4)}, largest difference ${difference.toExponential(2)}`,
  );
  return difference < 1e-4;
}

/** Floats of a file that the peer wrote. */
function float64File(path: string): Float64Array {
  return new Float64Array(new Uint8Array(readFileSync(path)).buffer);
}

async function checkGradient(runtime: NativeRuntime, network: Uint8Array, python: string): Promise<boolean> {
  const pixels = Float32Array.from(mulberry32Array(2, 3 * side * side), (u) => Math.floor(256 * u));
  const directions = Float32Array.from(mulberry32Array(3, 768), (u) => 2 * u - 1);
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-inception-'));
  try {
    writePeerNetwork(network, folder);
    writeFileSync(join(folder, 'pixels.f32'), pixels);
    writeFileSync(join(folder, 'directions.f32'), directions);
    const script = fileURLToPath(new URL('check-inception.py', import.meta.url));
    process.stdout.write(execFileSync(python, [script, folder]));
    const preparation = { ...featurePresets.mixed5.preparation, resize: 'bilinear' } as const;
    const options = { name: 'mixed5', file: network, preparation, pooling: 'mean' } as const;
    const results = await execute(
      runtime,
      (x) => {
        const features = tracedFeatures(options, x);
        const [slope] = gradient(reduceSum(multiply(features, constantTensor(directions, [1, 768]))), [x]);
        return { features, slope: slope! };
      },
      { shape: [1, 3, side, side], values: pixels },
    );
    const features = relativeDifference(results.features as Float32Array, float64File(join(folder, 'features.f64')));
    const slope = relativeDifference(results.slope as Float32Array, float64File(join(folder, 'gradient.f64')));
    console.log(`features of a ${side} x ${side} image: relative difference ${features.toExponential(2)}`);
    console.log(`gradient by its pixels: relative difference ${slope.toExponential(2)}`);
    return slope < 1e-3 && features < 1e-4;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [peer, python] = process.argv.slice(2);
if (peer === undefined || python === undefined) {
  console.error(
    'usage: node --import tsx scripts/check-inception.ts <folder with node_modules of TensorFlow.js> <python with PyTorch>',
  );
  process.exit(2);
}
const runtime = await openNativeRuntime({ threads: 2 });
try {
  const network = await packagedNetwork('mixed5', packaged, { note: console.log });
  const maps = await checkMaps(runtime, network, peer);
  const slopes = await checkGradient(runtime, network, python);
  process.exitCode = maps && slopes ? 0 : 1;
} finally {
  runtime.release();
}
