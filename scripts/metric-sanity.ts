/**
 * Metrics on real data whose order is known: a training set against its held-out images, and against itself with classes missing, with
 * blur, with noise and with half of its samples. Prints a table and what must be monotone; exit status 1 if something is not.
 *
 *   node --import tsx scripts/metric-sanity.ts --features pixels [--data fashion] [--count 2000]
 */
import { parseArgs } from 'node:util';
import { valueText } from '../src/cli/evaluation-text.ts';
import { hasTestSplit, openDataset } from '../src/data/open-dataset.ts';
import { openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import { ConfigError } from '../src/errors.ts';
import { runtimeDefaults } from '../src/experiments/config.ts';
import { openFeatures } from '../src/experiments/evaluation-features.ts';
import { extractSet, type FeatureMap } from '../src/experiments/feature-map.ts';
import { type MetricTools, openMetricTools } from '../src/experiments/judge-samples.ts';
import { type Population, type SampleSet, storedPopulation, takeSamples } from '../src/experiments/sample-set.ts';
import { spread } from '../src/experiments/stored-data.ts';
import { describeNetwork, type FeatureSet } from '../src/metrics/feature-set.ts';
import { type FeatureStatistics, statisticsOfFeatures } from '../src/metrics/feature-statistics.ts';
import { frechetMetric } from '../src/metrics/frechet-distance.ts';
import { kernelMetric } from '../src/metrics/kernel-distance.ts';
import { type Metric, metricColumn } from '../src/metrics/metric.ts';
import { precisionRecallMetrics } from '../src/metrics/precision-recall.ts';
import { permutation } from '../src/numerics/permutation.ts';
import { stream } from '../src/numerics/stream.ts';
import { textTable } from '../src/report/text-table.ts';

/** Images of a part, uint8 [rows, channels, height, width], as other ones. */
type Change = (pixels: Uint8Array, shape: readonly number[], first: number) => Uint8Array;

/** A set to be compared; cases of one series have more and more of one fault. */
interface Case {
  readonly name: string;
  readonly series: string;
  readonly set: SampleSet;
}

interface Measured extends Case {
  readonly frechet: Metric;
  readonly kernel: Metric;
  readonly precision: Metric;
  readonly recall: Metric;
}

const { signal } = new AbortController();
const half = 0.5;

function clamp(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}

/** Normal noise of a deviation in grey levels; image i has the noise of its number. */
function noise(deviation: number): Change {
  return (pixels, shape, first) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const changed = new Uint8Array(pixels.length);
    for (let start = 0; start < pixels.length; start += size) {
      const random = stream(0, 'sanity-noise', first + start / size);
      for (let i = start; i < start + size; i++) changed[i] = clamp(pixels[i]! + deviation * random.normal());
    }
    return changed;
  };
}

/** Weights of a Gaussian at the distances -3 sigma to 3 sigma. */
function gaussian(sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma);
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** Weighted means along lines of values `stride` apart; beyond an end stands its last value. */
function smooth(
  values: Float64Array,
  weights: Float64Array,
  { length, stride }: { readonly length: number; readonly stride: number },
): Float64Array {
  const reach = (weights.length - 1) / 2;
  return values.map((_, at) => {
    const place = Math.floor(at / stride) % length;
    let sum = 0;
    for (let k = -reach; k <= reach; k++) {
      const there = Math.min(length - 1, Math.max(0, place + k));
      sum += weights[k + reach]! * values[at + (there - place) * stride]!;
    }
    return sum;
  });
}

/** Gaussian blur of a deviation in pixels. */
function blur(sigma: number): Change {
  const weights = gaussian(sigma);
  return (pixels, [, height, width]) => {
    const rows = smooth(Float64Array.from(pixels), weights, { length: width!, stride: 1 });
    return Uint8Array.from(smooth(rows, weights, { length: height!, stride: width! }), clamp);
  };
}

function changed(set: SampleSet, change: Change): SampleSet {
  return {
    ...set,
    async *parts(given) {
      let first = 0;
      for await (const { values, labels } of set.parts(given)) {
        const pixels = values as Uint8Array; // the data are images
        yield { values: change(pixels, set.shape, first), labels };
        first += pixels.length / set.shape.reduce((a, b) => a * b, 1);
      }
    },
  };
}

/** The given rows of some data. */
function rowsOf(data: Population, rows: Uint32Array): Population {
  const read = (wanted: Uint32Array) => data.read(wanted.map((row) => rows[row]!));
  return { ...data, count: rows.length, labels: Int32Array.from(rows, (row) => data.labels[row]!), read };
}

function rowsWhere(data: Population, keeps: (label: number) => boolean): Population {
  const all = Uint32Array.from({ length: data.count }, (_, row) => row);
  return rowsOf(
    data,
    all.filter((row) => keeps(data.labels[row]!)),
  );
}

/** All comparisons with the training set. */
async function casesOf(source: string, train: Population): Promise<Case[]> {
  const whole = takeSamples(train);
  const random = permutation(train.count, stream(0, 'sanity-half'))
    .slice(0, Math.floor(train.count * half))
    .sort();
  const classes = train.classes?.length ?? 0;
  const missing = [1, 3, 5, 7].filter((count) => count < classes);
  const held = hasTestSplit({ source }) ? await openDataset({ source, split: 'test' }) : null;
  const test = held === null ? [] : [storedPopulation(held, `${source} test`)];
  return [
    { name: 'itself', series: 'itself', set: whole },
    ...test.map((data) => ({ name: 'held-out images', series: 'held out', set: takeSamples(data, train.count) })),
    { name: 'half of the samples', series: 'half', set: takeSamples(rowsOf(train, random)) },
    ...missing.map((count) => ({
      name: `${count} of ${classes} classes missing`,
      series: 'classes',
      set: takeSamples(rowsWhere(train, (label) => label >= count)),
    })),
    ...[0.5, 1, 2].map((sigma) => ({
      name: `blur, ${sigma} pixels`,
      series: 'blur',
      set: changed(whole, blur(sigma)),
    })),
    ...[8, 32, 96].map((deviation) => ({
      name: `noise, ${deviation} of 255`,
      series: 'noise',
      set: changed(whole, noise(deviation)),
    })),
  ];
}

interface Reference {
  readonly features: FeatureSet;
  readonly statistics: FeatureStatistics;
  readonly map: FeatureMap;
  readonly tools: MetricTools;
}

const quiet = { classify: false, keep: false, signal, onProgress: () => {} };

async function measure(one: Case, { features: reference, statistics, map, tools }: Reference): Promise<Measured> {
  const { products, dotProducts } = tools;
  const { features } = await extractSet(one.set, map, quiet);
  const { precision, recall } = await precisionRecallMetrics(features, reference, { products: dotProducts });
  return {
    ...one,
    frechet: await frechetMetric(features, statistics, { products, groups: null }),
    kernel: await kernelMetric(features, reference, { products }),
    precision,
    recall,
  };
}

/**
 * Whether recall is below that of the set itself and of each lesser fault where the fault is greatest. Between them it need not fall: the
 * fewer samples are left, the farther their balls reach.
 */
function lowestAtEnd(cases: readonly Measured[]): boolean {
  const recalls = cases.map(({ recall: { value } }) => value);
  const last = recalls.at(-1)!;
  return last < 1 && recalls.slice(0, -1).every((value) => value > last);
}

/** What must hold, and whether it does. */
function judgements(cases: readonly Measured[]): readonly (readonly [string, boolean])[] {
  const series = (name: string) => cases.filter((one) => one.series === name);
  const [itself] = series('itself');
  const [sampled] = series('half');
  const rises = (name: string, value: (one: Measured) => number) =>
    [itself!, ...series(name)].every((one, i, all) => i === 0 || value(one) > value(all[i - 1]!));
  const frechet = ({ frechet: { value } }: Measured) => value;
  const kernel = ({ kernel: { value } }: Measured) => value;
  const faults = ['classes', 'blur', 'noise'].filter((name) => series(name).length > 0);
  const near = ({ value, standardError }: Metric) => Math.abs(value) < 4 * (standardError ?? 0);
  return [
    ['the distance of a set to itself is 0', frechet(itself!) < 1e-6 * Math.max(...cases.map(frechet))],
    ...faults.flatMap((name) => [
      [`Fréchet distance rises with ${name}`, rises(name, frechet)] as const,
      [`kernel distance rises with ${name}`, rises(name, kernel)] as const,
    ]),
    ...(faults.includes('classes')
      ? [['recall is lowest with most classes missing', lowestAtEnd(series('classes'))] as const]
      : []),
    ['half of the samples are farther than the set itself', frechet(sampled!) > frechet(itself!)],
    ...[...series('held out'), ...series('classes').filter(({ set }) => set.count <= sampled!.set.count)].map(
      (one) => [`half of the samples are nearer than ${one.name}`, frechet(sampled!) < frechet(one)] as const,
    ),
    // Only for independent sets: images that two sets share put the estimate below 0.
    ...series('held out').map(
      (held) => ['the kernel distance of held-out images is 0 within four errors', near(held.kernel)] as const,
    ),
    ...series('held out').map(
      (held) => ['held-out images are farther than the set itself', frechet(held) > frechet(itself!)] as const,
    ),
  ];
}

function tableLines(cases: readonly Measured[]): string[] {
  // Fréchet distances depend on counts, which the table shows; kernel distances do not.
  const { convention } = metricColumn(cases.map(({ kernel }) => kernel));
  const rows = cases.map(({ name, set, frechet, kernel, precision, recall }) => [
    name,
    String(set.count),
    ...[frechet, kernel, precision, recall].map(valueText),
  ]);
  const headings = ['training set against', 'samples', 'Fréchet distance', 'kernel distance', 'precision', 'recall'];
  return [
    ...textTable(headings, rows),
    '',
    `Fréchet distance: ${cases[0]!.frechet.convention}, but for the count of samples`,
    `kernel distance: ${convention}`,
    `precision and recall: ${cases[0]!.precision.convention}, but for the count of samples`,
    '',
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      features: { type: 'string', default: 'pixels' },
      data: { type: 'string', default: 'fashion' },
      count: { type: 'string', default: '2000' },
    },
  });
  const count = Number(values.count);
  if (!(Number.isInteger(count) && count >= 20)) {
    throw new ConfigError({ expected: '--count of at least 20', got: values.count, where: 'scripts/metric-sanity' });
  }
  const source = values.data;
  const all = storedPopulation(await openDataset({ source }), `${source} train`);
  const train = rowsOf(all, spread(all.count, count));
  const runtime = await openNativeRuntime(runtimeDefaults());
  const tools = await openMetricTools(runtimeDefaults(), signal);
  try {
    const onEvent = () => {};
    const request = { name: values.features, data: all, images: { source }, runtime, signal, onEvent };
    const map = await openFeatures(request);
    const { features } = await extractSet(takeSamples(train), map, quiet);
    const statistics = await statisticsOfFeatures(features, tools);
    console.log(`${train.count} images of ${all.name}, by ${describeNetwork({ ...map, data: source })}\n`);
    const cases: Measured[] = [];
    for (const one of await casesOf(source, train))
      cases.push(await measure(one, { features, statistics, map, tools }));
    for (const line of tableLines(cases)) console.log(line);
    for (const [what, holds] of judgements(cases)) {
      console.log(`${holds ? 'holds' : 'VIOLATED'}: ${what}`);
      if (!holds) process.exitCode = 1;
    }
  } finally {
    tools.release();
    runtime.release();
  }
}

await main();
