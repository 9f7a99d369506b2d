/** Figure 2 of the closed form of flow matching [bertrand:25]: networks trained on subsets fail to learn the exact field as these grow. */
import { join } from 'node:path';
import type { ImageDataset } from '../../data/image-dataset.ts';
import { openDataset } from '../../data/open-dataset.ts';
import { memorisedBelow } from '../../numerics/nearest-ratio.ts';
import { permutation } from '../../numerics/permutation.ts';
import { stream } from '../../numerics/stream.ts';
import { lineChart, type Series } from '../../report/line-chart.ts';
import { csvOf, errorChart, errorSeries, writeTexts } from '../closed-form-files.ts';
import { parseConfig, type RunConfig } from '../config.ts';
import { type FieldErrorResult, measureFieldError } from '../measure-field-error.ts';
import { measureMemorisation, measureWithin, type NearnessResult } from '../measure-memorisation.ts';
import { type TrainedField, withTrainedField } from '../trained-field.ts';
import { judgeSubsets, subsetLines } from './efm-fig2-report.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext, Scale } from './reproduction.ts';
import { reusedRun, smallImages, writeImageArray } from './reused-run.ts';
import { type NetworkSections, smallUnet } from './small-unet.ts';

/** All that the numbers depend on. */
export interface SubsetSettings {
  readonly seed: number;
  readonly source: string;
  /** Pixels that images are brought to. */
  readonly size: number;
  /** Training images of each network, ascending; more than the set has are all of it. */
  readonly counts: readonly number[];
  /** Model and training of the networks, and how they are sampled. */
  readonly network: NetworkSections;
  /** Pairs for the error, on either side. */
  readonly pairs: number;
  /** Times k / errorTimes of the error. */
  readonly errorTimes: number;
  readonly samples: number;
}

/** What was measured of a network. */
export interface SubsetResult {
  /** Training images. */
  readonly count: number;
  readonly error: FieldErrorResult;
  /** Of the network's samples to the images that it was trained on. */
  readonly samples: NearnessResult;
  /** Of held-out images to the same. */
  readonly heldOut: NearnessResult | null;
  /** Of the training images to each other. */
  readonly within: NearnessResult;
}

type Amount = Pick<SubsetSettings, 'size' | 'network' | 'samples'>;

/** The paper trains for 50,000 steps of 128 images on CIFAR-10. */
const amounts: { readonly [S in Scale]: Amount } = {
  laptop: { size: 14, network: smallUnet([32, 64], 64_000), samples: 256 },
  paper: { size: 28, network: smallUnet([64, 128, 192], 6_400_000), samples: 1_000 },
};

/** The figure on 10 to 10,000 images of fashion; its middle panel, a Fréchet distance, needs features that are not here. */
export const efmFig2: Reproduction = ({ scale, seed, data }) =>
  prepareSubsets({
    seed,
    source: data ?? 'fashion',
    counts: [10, 100, 1_000, 10_000],
    pairs: 256,
    errorTimes: 20,
    ...amounts[scale],
  });

/** The reproduction with settings of one's own. */
export function prepareSubsets(settings: SubsetSettings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const began = performance.now();
      const results = await measureAll(settings, context);
      const claims = judgeSubsets(results);
      const seconds = (performance.now() - began) / 1000;
      const result = { ...settings, seconds, claims, results };
      return {
        lines: subsetLines(results, { ...settings, seconds, claims }),
        agrees: Object.values(claims).every(Boolean),
        paths: writeFiles(context.directory, results, result),
        result,
      };
    },
  };
}

/** Training and held-out images at the size of the networks. */
interface SmallSets {
  readonly train: ImageDataset;
  /** Held-out images: uint8 [images, channels, size, size]. */
  readonly heldOut: Uint8Array;
}

async function openSets({ source, size, pairs, samples }: SubsetSettings): Promise<SmallSets> {
  const [train, test] = [await openDataset({ source }), await openDataset({ source, split: 'test' })];
  const rows = Uint32Array.from({ length: Math.min(test.count, Math.max(pairs, samples)) }, (_, row) => row);
  return { train, heldOut: await smallImages(test, rows, size) };
}

async function measureAll(settings: SubsetSettings, context: ReproductionContext): Promise<SubsetResult[]> {
  const { counts, seed, source } = settings;
  const sets = await openSets(settings);
  // Nested: each subset holds the smaller ones.
  const order = permutation(sets.train.count, stream(seed, 'subsets'));
  const present = [...new Set(counts.map((count) => Math.min(count, sets.train.count)))];
  const results: SubsetResult[] = [];
  for (const count of present) {
    context.onEvent({ kind: 'note', text: `${count} images of ${source}` });
    results.push(await measureSubset(settings, { sets, rows: order.slice(0, count) }, context));
  }
  return results;
}

async function measureSubset(
  settings: SubsetSettings,
  { sets, rows }: { readonly sets: SmallSets; readonly rows: Uint32Array },
  context: ReproductionContext,
): Promise<SubsetResult> {
  const { size, pairs, errorTimes, samples, seed } = settings;
  const { channels } = sets.train;
  const name = `subset-${rows.length}-seed-${seed}`;
  const pixels = await smallImages(sets.train, rows, size);
  const array = writeImageArray(join(context.directory, 'data', `${name}.npz`), { pixels, channels, size });
  const run = await reusedRun(configOf(settings, name, array), join(context.directory, 'runs', name), context);
  const times = Array.from({ length: errorTimes }, (_, k) => k / errorTimes);
  const threshold = memorisedBelow;
  return withTrainedField(run, { ema: true }, async (opened) => {
    const trained = withHeldOut(opened, sets.heldOut);
    const error = await measureFieldError(trained, { ...context, pairs, times, seed });
    const measured = await measureMemorisation(trained, { ...context, samples, seed, threshold });
    const within = await measureWithin(trained, { ...context, threshold });
    return { count: rows.length, error, samples: measured.samples, heldOut: measured.heldOut, within };
  });
}

function configOf({ network, seed }: SubsetSettings, name: string, source: string): RunConfig {
  return parseConfig({ name, seed, data: { kind: 'images', source, heldOut: null }, ...network }, name);
}

/** A run's data with held-out images that its file does not have. */
function withHeldOut(trained: TrainedField, pixels: Uint8Array): TrainedField {
  const { data, rows } = trained;
  const heldOut = async (count: number) => {
    const target = await data.latent!.encode(pixels.subarray(0, count * rows.elements)); // images have one
    return { target, labels: new Int32Array(target.length / rows.elements) };
  };
  return { ...trained, data: { ...data, heldOut } };
}

function distanceChart(results: readonly SubsetResult[]): string {
  const x = results.map(({ count }) => Math.log10(count));
  const curve = (name: string, of: (one: SubsetResult) => number, style: Series['style'] = 'points'): Series => ({
    name,
    x,
    y: results.map(of),
    style,
  });
  const own = results.at(-1)!.within.distance.mean;
  return lineChart(
    [
      curve('samples', ({ samples }) => samples.distance.mean),
      curve('held-out images', ({ heldOut }) => heldOut?.distance.mean ?? Number.NaN),
      curve('training images', ({ within }) => within.distance.mean),
      curve('those of the largest subset', () => own, 'dashed'),
    ],
    {
      title: 'Distance to the nearest training image (figure 2, right)',
      xLabel: 'log10 of the training images',
      yLabel: 'mean Euclidean distance, latent units',
      yRange: [0, null],
    },
  );
}

function writeFiles(
  directory: string,
  results: readonly SubsetResult[],
  result: Readonly<Record<string, unknown>>,
): string[] {
  const errors = results.flatMap(({ count, error: { training, heldOut } }) =>
    training.map(({ time, error, referenceSquare }, i) => [
      ...[count, time, error.mean, error.standardError, referenceSquare.mean],
      ...[heldOut?.[i]?.error.mean ?? null, heldOut?.[i]?.error.standardError ?? null],
    ]),
  );
  const distances = results.map(({ count, samples, heldOut, within }) => [
    ...[count, samples.distance.mean, samples.distance.standardError, samples.memorised.mean],
    ...[heldOut?.distance.mean ?? null, within.distance.mean],
  ]);
  const errorsOf = (side: 'training' | 'heldOut') =>
    results.flatMap(({ count, error }) =>
      error[side] === null ? [] : [errorSeries(`${count} training images`, error[side])],
    );
  return writeTexts(directory, {
    'subsets.json': `${JSON.stringify(result, null, 2)}\n`,
    'field-error.csv': csvOf(
      ['count', 'time', 'error', 'standardError', 'exactSquare', 'heldOutError', 'heldOutStandardError'],
      errors,
    ),
    'field-error.svg': errorChart(errorsOf('training')),
    'field-error-held-out.svg': errorChart(errorsOf('heldOut')),
    'distance.csv': csvOf(['count', 'distance', 'standardError', 'memorised', 'heldOut', 'within'], distances),
    'distance.svg': distanceChart(results),
  });
}
