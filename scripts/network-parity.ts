// Compares the papers' networks with PyTorch at full size: random weights of ours go to PyTorch in a safetensors file under the names of
// published checkpoints, its state comes back in another, and outputs and gradients of a weighted sum of outputs are compared.
//   (python: 3.10 or later with PyTorch 2.x and NumPy)
//   node --import tsx scripts/network-parity.ts [--python peer/bin/python] [--dtype float64] [network ...]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { elementCount } from '../src/engine/shape.ts';
import { type SafetensorsTensor, safetensor } from '../src/formats/safetensors.ts';
import { openSafetensorsFile, writeSafetensorsFile } from '../src/formats/safetensors-file.ts';
import { admUnets } from '../src/models/adm-unet.ts';
import { type ExternalTensor, externalValues, ownValues } from '../src/models/checkpoint-map.ts';
import { ditSizes } from '../src/models/dit.ts';
import type { Model } from '../src/models/model.ts';
import { flattenParameters } from '../src/models/parameters.ts';
import { songUnets } from '../src/models/song-unet.ts';
import { stream } from '../src/numerics/stream.ts';
import { executeGraph } from '../test/engine/execute-graph.ts';
import { gradientGraph } from '../test/models/model-graphs.ts';
import { type PublishedKind, publishedNetworks } from '../test/models/published-networks.ts';

interface Compared {
  readonly kind: PublishedKind;
  readonly options: object & { readonly classes: number | null };
}

function ditCase(size: keyof typeof ditSizes, patch: number): Compared {
  const options = { shape: [4, 32, 32], patch, ...ditSizes[size], classes: 1000, variances: true };
  return { kind: 'dit', options };
}

const compared: Readonly<Record<string, Compared>> = {
  'DiT-S/2': ditCase('S', 2),
  'DiT-B/4': ditCase('B', 4),
  'ADM-cifar10': { kind: 'adm', options: { ...admUnets.cifar10, classes: null } },
  'DDPM++-cifar10': { kind: 'song', options: { ...songUnets.cifar10, classes: 10 } },
};

const BATCH = 2;

interface Comparison {
  readonly model: Model;
  readonly external: ReadonlyMap<string, ExternalTensor>;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly folder: string;
}

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string', default: 'python3' }, dtype: { type: 'string', default: 'float64' } },
});

/** Uniform in (-scale, scale), around `offset`. */
function uniform(name: string, count: number, { scale = 1, offset = 0 } = {}): Float32Array {
  const random = stream(0, `parity:${name}`);
  return Float32Array.from({ length: count }, () => offset + scale * (2 * random.uniformFloat32() - 1));
}

/** Random parameters by path: none is zero, and sums keep their size from layer to layer. */
function randomParameters(model: Model): Map<string, Float32Array> {
  return new Map(
    flattenParameters(model.parameters).map(([path, { shape }]) => {
      const scale = shape.length > 1 ? 1 / Math.sqrt(elementCount(shape.slice(1))) : 0.2;
      return [path, uniform(path, elementCount(shape), { scale, offset: path.endsWith('.scale') ? 1 : 0 })];
    }),
  );
}

function randomInputs({ input, classes }: Model) {
  const count = BATCH * elementCount(input.shape);
  const labels =
    classes === null ? {} : { labels: Int32Array.from({ length: BATCH }, (_, i) => (i === 0 ? 1 : classes)) };
  const time = Float32Array.from({ length: BATCH }, (_, i) => (i + 0.5) / BATCH);
  return { x: uniform('x', count), w: uniform('w', count), time, ...labels };
}

/** Largest difference over the largest wanted magnitude. */
function relativeLargest(actual: ArrayLike<number>, wanted: Float32Array): number {
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i])), 0) / largest;
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Tensors of the files that the two sides exchange. */
async function readAll(path: string): Promise<Map<string, SafetensorsTensor>> {
  const file = await openSafetensorsFile(path);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const name of file.entries.keys()) tensors.set(name, await file.read(name));
  await file.close();
  return tensors;
}

/** Our random parameters and inputs, in files for PyTorch. */
async function send({ model, external, parameters, inputs, folder }: Comparison): Promise<void> {
  const weights = [...external].map(([name, place]): [string, SafetensorsTensor] => [
    name,
    safetensor(
      externalValues(place, (path) => parameters.get(path)!),
      place.shape,
    ),
  ]);
  const whole = [BATCH, ...model.input.shape];
  const given = Object.entries(inputs).map(([name, values]): [string, SafetensorsTensor] => [
    name,
    safetensor(values, name === 'x' || name === 'w' ? whole : [BATCH]),
  ]);
  await writeSafetensorsFile(join(folder, 'weights.safetensors'), new Map(weights));
  await writeSafetensorsFile(join(folder, 'inputs.safetensors'), new Map(given));
}

/** Runs PyTorch on the folder's files. */
function askPeer(folder: string, request: object): void {
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
  const peer = fileURLToPath(new URL('network-parity.py', import.meta.url));
  const { status } = spawnSync(flags.python, [peer, folder], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${flags.python} ended with status ${status}`);
}

/** Number of parameters that PyTorch's state holds bit by bit. @throws Error if one is missing or changed. */
async function checkState({ external, parameters, folder }: Comparison): Promise<number> {
  const state = await readAll(join(folder, 'state.safetensors'));
  let count = 0;
  for (const [name, { shape, data }] of state) {
    const place = external.get(name);
    if (place === undefined) throw new Error(`PyTorch has ${name}, which our map has not`);
    for (const [path, values] of ownValues(place, { name, shape, data: data as Float32Array })) {
      const wanted = parameters.get(path)!;
      if (!values.every((value, i) => value === wanted[i])) throw new Error(`${path} came back changed`);
      count += values.length;
    }
  }
  const all = [...parameters.values()].reduce((sum, { length }) => sum + length, 0);
  if (count !== all) throw new Error(`PyTorch sent ${count} of ${all} parameters back`);
  return count;
}

/** Error of the output, and of each gradient from the worst to the best. */
async function measure({ model, external, parameters, inputs, folder }: Comparison) {
  const own = Object.fromEntries([...parameters].map(([path, values]) => [`p.${path}`, values]));
  const graph = gradientGraph(model, { batch: BATCH });
  const { y, ...gradients } = await executeGraph(runtime, graph, { ...own, ...inputs });
  const results = await readAll(join(folder, 'results.safetensors'));
  const wanted = (name: string) => results.get(name)!.data as Float32Array;
  const errors = [...external]
    .filter(([, { layout }]) => layout !== 'fixed')
    .map(([name, place]) => {
      const gradient = wanted(`gradient.${name}`);
      const actual = externalValues(place, (path) => gradients[`g.${path}`] as Float32Array);
      return { name, error: norm(actual.map((value, i) => value - gradient[i])) / norm(gradient) };
    })
    .sort((a, b) => b.error - a.error);
  return { output: relativeLargest(y as Float32Array, wanted('output')), errors };
}

async function compare(name: string, folder: string): Promise<void> {
  const { kind, options } = compared[name];
  const { model, checkpoint } = publishedNetworks[kind](options);
  const external = checkpoint.toExternal(model.parameters);
  const parameters = randomParameters(model);
  const comparison = { model, external, parameters, inputs: randomInputs(model), folder };
  await send(comparison);
  askPeer(folder, { kind, options, dtype: flags.dtype });
  console.log(`${name}: ${await checkState(comparison)} parameters there and back bit by bit`);
  const { output, errors } = await measure(comparison);
  const [worst, middle] = [errors[0], errors[Math.floor(errors.length / 2)]];
  console.log(`  output: largest difference over largest value ${output.toExponential(1)}`);
  console.log(
    `  gradients of ${errors.length} tensors: norm of the difference over the norm ${middle.error.toExponential(1)} in the middle, ` +
      `${worst.error.toExponential(1)} at worst (${worst.name})`,
  );
  if (!(output < 1e-4 && worst.error < 1e-3)) process.exitCode = 1;
}

const runtime = await openNativeRuntime({ threads: 2 });
for (const name of positionals.length > 0 ? positionals : Object.keys(compared)) {
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-parity-'));
  try {
    await compare(name, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
runtime.release();
