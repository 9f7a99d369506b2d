/**
 * Perceptual loss of changed images of Fashion-MNIST, by early layers of the network `mixed5` and by pixels.
 *
 *   node --import tsx scripts/perceptual-distances.ts [images, default 32]
 *
 * Prints means over images: blur (Gaussian, standard deviation in pixels), noise (normal, standard deviation in 255ths), and the distance to
 * another image. Each row is divided by the distance to another image, so that columns can be compared. Also compares the derivative along
 * a random direction with a central difference.
 */
import { readImages } from '../src/data/image-dataset.ts';
import { openDataset } from '../src/data/open-dataset.ts';
import { gradient } from '../src/engine/gradient.ts';
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { importOnnx } from '../src/engine/onnx/import-model.ts';
import { multiply, reduceMean, reduceSum, subtract } from '../src/engine/ops.ts';
import { createStepper } from '../src/engine/stepper.ts';
import type { Tensor } from '../src/engine/tensor.ts';
import { tensorType, trace } from '../src/engine/trace.ts';
import { prepareLatents } from '../src/experiments/prepare-latents.ts';
import { featurePresets } from '../src/metrics/features/feature-presets.ts';
import { packagedNetwork } from '../src/metrics/features/packaged-network.ts';
import { normalsFromSeeds } from '../src/numerics/normal.ts';
import { textTable } from '../src/report/text-table.ts';
import { perceptualLoss } from '../src/training/perceptual-loss.ts';

const batch = 8;
const side = 28;
const elements = side * side;
const count = Math.ceil(Number(process.argv[2] ?? 32) / batch) * batch;
const size = [149, 149] as const;

/** Layers alone, then several together. */
const columns: Readonly<Record<string, readonly string[]>> = {
  activation_3: ['activation_3'],
  activation_5: ['activation_5'],
  mixed0: ['mixed0'],
  mixed2: ['mixed2'],
  together: ['activation_3', 'activation_5', 'mixed0', 'mixed2'],
};

const { source, preparation } = featurePresets.mixed5;
const network = importOnnx(await packagedNetwork('mixed5', source.packaged, { note: console.error }));
const prepare = (latents: Tensor) => prepareLatents(latents, { ...preparation, size });

const type = tensorType([batch, 1, side, side]);
const graph = trace(
  ({ images, others }) => {
    const losses = Object.entries(columns).map(([name, layers]) => {
      const loss = perceptualLoss({ network, layers: layers.map((layer) => ({ name: layer })), prepare });
      return [name, loss(images!, others!)] as const;
    });
    const together = losses.at(-1)![1];
    const difference = subtract(images!, others!);
    return {
      ...Object.fromEntries(losses),
      pixels: reduceMean(multiply(difference, difference), { axes: [1, 2, 3] }),
      slope: gradient(reduceSum(together), images!),
    };
  },
  { images: type, others: type },
);
const runtime = await openNativeRuntime({ threads: 2 });
const programs = { loss: { model: emitModel(graph, { provider: runtime.provider, channelBlock: null }) } };
const stepper = await createStepper(runtime, { state: {}, programs });

/** Means over all images by the columns' names. */
async function means(images: Float32Array, others: Float32Array): Promise<Map<string, number>> {
  const names = [...Object.keys(columns), 'pixels'];
  const sums = new Map(names.map((name) => [name, 0]));
  for (let start = 0; start < images.length; start += batch * elements) {
    const rows = (values: Float32Array) => values.slice(start, start + batch * elements);
    const results = await stepper.run('loss', { inputs: { images: rows(images), others: rows(others) } });
    for (const name of names)
      for (const value of results[name]!) sums.set(name, sums.get(name)! + Number(value) / count);
  }
  return sums;
}

/** Gaussian blur of each row and column; pixels beyond the border are those at it. */
function blurred(images: Float32Array, deviation: number): Float32Array {
  const reach = Math.ceil(4 * deviation);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
  const total = weights.reduce((a, b) => a + b);
  const along = (values: Float32Array, step: number) =>
    values.map((_, at) => {
      const place = Math.floor(at / step) % side;
      return weights.reduce((sum, weight, i) => {
        const to = Math.min(Math.max(place + i - reach, 0), side - 1);
        return sum + (weight / total) * values[at + (to - place) * step]!;
      }, 0);
    });
  return along(along(images, 1), side);
}

function noisy(images: Float32Array, deviation: number): Float32Array {
  const noise = normalsFromSeeds(
    Uint32Array.from({ length: count }, (_, i) => i),
    elements,
  );
  return images.map((value, i) => Math.min(1, Math.max(-1, value + (deviation / 127.5) * noise[i]!)));
}

const fashion = await openDataset({ source: 'fashion', split: 'test' });
const pixels = await readImages(
  fashion,
  Uint32Array.from({ length: 2 * count }, (_, i) => i),
);
const latents = Float32Array.from(pixels, (pixel) => pixel / 127.5 - 1);
const images = latents.slice(0, count * elements);
const changes: [string, Float32Array][] = [
  ['none', images],
  ...[0.5, 1, 2, 4].map((deviation): [string, Float32Array] => [`blur ${deviation}`, blurred(images, deviation)]),
  ...[5, 15, 30, 60].map((deviation): [string, Float32Array] => [`noise ${deviation}`, noisy(images, deviation)]),
];
const other = await means(images, latents.slice(count * elements));
const rows: string[][] = [];
for (const [name, changed] of changes) {
  const sums = await means(images, changed);
  rows.push([name, ...[...sums].map(([column, value]) => (value / other.get(column)!).toFixed(4))]);
}
rows.push(['another image', ...[...other.values()].map((value) => value.toPrecision(3))]);
console.log(textTable(['change', ...other.keys()], rows).join('\n'));

const normal = normalsFromSeeds(
  Uint32Array.from({ length: 2 * batch }, (_, i) => 1000 + i),
  elements,
);
const first = (values: Float32Array) => values.slice(0, batch * elements);

// Equal pixels of the background make ties in max pooling, where there is no derivative: noise on all pixels breaks them.
const point = first(images).map((value, i) => value + 0.1 * normal[i]!);
const target = first(blurred(images, 1));
const direction = normal.subarray(batch * elements);
const { slope } = await stepper.run('loss', { inputs: { images: point, others: target } });
const product = (slope as Float32Array).reduce((sum, value, i) => sum + value * direction[i]!, 0);
async function sumAt(step: number): Promise<number> {
  const moved = point.map((value, i) => value + step * direction[i]!);
  const { together } = await stepper.run('loss', { inputs: { images: moved, others: target } });
  return (together as Float32Array).reduce((sum, value) => sum + value, 0);
}
for (const step of [1e-2, 3e-3, 1e-3]) {
  const quotient = ((await sumAt(step)) - (await sumAt(-step))) / (2 * step);
  const text = `derivative along a random direction ${product.toPrecision(5)}, central difference`;
  console.log(`${text} ${quotient.toPrecision(5)} at step ${step}`);
}
stepper.release();
runtime.release();
