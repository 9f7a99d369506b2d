/**
 * Autoencoders and the discriminator of full size against PyTorch, whose numbers scripts/golden/autoencoders.py computes in float64:
 *
 *     node --import tsx scripts/autoencoder-parity.ts peer/bin/python <kl-f8 | vq-f8 | discriminator> <height> <width>
 *
 * Errors of the output are relative to its largest value, those of a gradient to its norm (of norm, product with random numbers,
 * samples; see scripts/golden/blocks.py). A number within float32's rounding of a leaky ReLU's kink may fall on its other side, which
 * shows in the gradient of a single channel.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { externalValues, ownValues } from '../src/models/checkpoint-map.ts';
import { parameterCount } from '../src/models/parameters.ts';
import { mulberry32Array } from '../src/numerics/mulberry32.ts';
import { executeGraph } from '../test/engine/execute-graph.ts';
import { filled, type Summary } from '../test/models/golden-tensors.ts';
import { type GoldenAutoencoder, passGraph, publishedAutoencoders } from '../test/models/published-autoencoders.ts';

const [python, ...request] = process.argv.slice(2);
const script = fileURLToPath(new URL('./golden/autoencoders.py', import.meta.url));
const answer = execFileSync(python, [script, ...request], { maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'ignore'] });
const golden = JSON.parse(answer.toString()) as GoldenAutoencoder;

/** Below this a gradient counts as zero: keys' biases shift all scores of a query alike. */
const floor = 0.1;

function largestError(actual: ArrayLike<number>, wanted: readonly number[], scale: number): number {
  return wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(actual[i] - value)), 0) / scale;
}

function gradientError(actual: Float32Array, { norm, product, places, samples }: Summary): number {
  const direction = mulberry32Array(1, actual.length);
  let square = 0;
  let along = 0;
  for (let i = 0; i < actual.length; i++) {
    square += actual[i] ** 2;
    along += (2 * direction[i] - 1) * actual[i];
  }
  const values = [Math.sqrt(square), along, ...places.map((place) => actual[place])];
  return largestError(values, [norm, product, ...samples], Math.max(norm, floor));
}

const network = publishedAutoencoders[golden.kind](golden.options);
const external = network.checkpoint.toExternal(network.parameters);
const parameters = Object.entries(golden.tensors).flatMap(([name, fill]) =>
  // The map knows every name of the state, or the script ends here.
  ownValues(external.get(name)!, { name, shape: fill.shape, data: filled(fill) }),
);
const noise = golden.noise ?? { ...golden.x, shape: [1] };
const runtime = await openNativeRuntime({ threads: 2 });
const graph = passGraph(network, { x: golden.x.shape, noise: noise.shape, weights: golden.weights.shape });
const { y, loss, indices, ...gradients } = await executeGraph(runtime, graph, {
  ...Object.fromEntries(parameters.map(([path, values]) => [`p.${path}`, values])),
  x: filled(golden.x),
  noise: filled(noise),
  w: filled(golden.weights),
});
await runtime.release();

const size = Math.max(...golden.loss.map(Math.abs), 1e-30);
const errors = Object.entries(golden.gradients)
  .map(([name, wanted]) => {
    const actual = externalValues(external.get(name)!, (path) => gradients[`g.${path}`] as Float32Array);
    return [name, gradientError(actual, wanted)] as const;
  })
  .sort(([, a], [, b]) => b - a);
const largest = golden.output.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
console.log(`${request.join(' ')}: ${parameterCount(network.parameters)} parameters, ${external.size} tensors`);
console.log(`output ${largestError(y as Float32Array, golden.output, largest).toExponential(1)} of ${largest}`);
if (loss !== undefined) console.log(`loss ${largestError(loss as Float32Array, golden.loss, size).toExponential(1)}`);
if (golden.indices !== undefined) {
  const other = golden.indices.filter((index, i) => index !== (indices as Int32Array)[i]).length;
  console.log(`${other} of ${golden.indices.length} codes differ`);
}
for (const [name, error] of errors.slice(0, 3)) console.log(`gradient ${error.toExponential(1)} ${name}`);
