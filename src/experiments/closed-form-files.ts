/** `analyze closed-form` as files: numbers as JSON and CSV, charts, and a grid of images. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FieldErrorAtTime } from '../analysis/field-error.ts';
import { type ImageStack, writeImageGrid } from '../data/image-grid.ts';
import type { Estimate } from '../numerics/estimate.ts';
import { lineChart, type Series } from '../report/line-chart.ts';
import type { ClosedFormResults } from './closed-form-request.ts';
import type { AlignmentAtTime, AlignmentResult } from './measure-alignment.ts';
import type { FieldErrorResult } from './measure-field-error.ts';
import type { HybridResult } from './measure-hybrid.ts';
import type { MemorisationResult, NearnessResult } from './measure-memorisation.ts';
import { writeWhole } from './run-directory.ts';

/** Texts of files by name. */
type Texts = Readonly<Record<string, string>>;

/** Lines of comma-separated values; texts are quoted, and what is not known (null) is empty. */
export function csvOf(headings: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null) =>
    typeof value === 'string' ? JSON.stringify(value) : `${value ?? ''}`;
  return `${[headings.join(','), ...rows.map((row) => row.map(cell).join(','))].join('\n')}\n`;
}

const estimateCells = ({ mean, standardError, count }: Estimate) => [mean, standardError, count];

/** Times of which histograms are shown: those measured times that are nearest to these. */
const shownTimes = [0, 0.05, 0.1, 0.2, 0.4, 0.8];

/** Histograms of the cosines at some times. Source: [bertrand:25], figure 1 (a, b). */
export function histogramChart({ name, elements, times, pairs }: AlignmentResult): string {
  const nearest = shownTimes.map((wanted) =>
    times.reduce((best, one) => (Math.abs(one.time - wanted) < Math.abs(best.time - wanted) ? one : best)),
  );
  const shown = [...new Set(nearest)];
  // The parts below all cosines would take most of the chart in many dimensions.
  const first = Math.min(...shown.map(({ histogram: { counts } }) => counts.findIndex((count) => count > 0)));
  const series = shown.map(({ time, histogram: { from, to, counts } }): Series => {
    const width = (to - from) / counts.length;
    return {
      name: `t = ${time}`,
      x: counts.slice(first).map((_, part) => from + (first + part + 0.5) * width),
      y: counts.slice(first).map((count) => count / pairs),
    };
  });
  return lineChart(series, {
    title: `Alignment of the exact field with the velocity of a pair, ${name} (${elements} dimensions)`,
    xLabel: 'cosine of the angle between u*(xt, t) and x1 - x0',
    yLabel: `share of the pairs, in ${times[0]!.histogram.counts.length} parts of [-1, 1]`,
    yRange: [0, null],
  });
}

/** Share of aligned pairs over time, a line a set. Source: [bertrand:25], figure 1 (c). */
export function alignedChart(
  results: readonly AlignmentResult[],
  limit: { readonly above: number; readonly of: (one: AlignmentAtTime) => number },
): string {
  const series = results.map(({ name, elements, times }) => ({
    name: `${name}, d = ${elements}`,
    x: times.map(({ time }) => time),
    y: times.map(limit.of),
  }));
  return lineChart(series, {
    title: 'Pairs whose velocity is that of the exact field',
    xLabel: 'time, from noise (0) to data (1)',
    yLabel: `share of pairs with a cosine above ${limit.above}`,
    yRange: [0, 1],
  });
}

function collapseChart(results: readonly AlignmentResult[]): string {
  const series = (name: string, of: (one: AlignmentResult) => number | null): Series => {
    const known = results.filter((one) => of(one) !== null).toSorted((a, b) => a.elements - b.elements);
    return {
      name,
      x: known.map(({ elements }) => Math.log2(elements)),
      y: known.map((one) => of(one)!),
      style: 'points',
    };
  };
  const all = [
    series('cosine above 0.9', (one) => one.collapseTime),
    series('cosine above 0.99', (one) => one.closeTime),
    series('own weight above 0.9', (one) => one.determinedTime),
  ];
  return lineChart(all, {
    title: 'Time at which more than half of the pairs have no randomness left',
    xLabel: 'log2 of the dimension',
    yLabel: 'time',
    yRange: [0, null],
  });
}

/** Files about the alignment of sets. */
export function alignmentTexts(results: readonly AlignmentResult[]): Texts {
  const slug = (name: string) => basename(name).replace(/[^A-Za-z0-9]+/g, '-');
  const rows = results.flatMap(({ name, elements, count, times }) =>
    times.map(({ time, cosine, aligned, closelyAligned, ownWeight, determined }) => [
      ...[name, elements, count, time, ...estimateCells(cosine), aligned, closelyAligned],
      ...[ownWeight.mean, ownWeight.standardError, determined],
    ]),
  );
  const headings = [
    'data',
    'dimension',
    'count',
    'time',
    'cosine',
    'cosineStandardError',
    'pairs',
    'aligned',
    'closelyAligned',
  ];
  const collapse = results.map(({ name, elements, collapseTime, closeTime, determinedTime }) => [
    ...[name, elements, collapseTime, closeTime, determinedTime],
  ]);
  return {
    'alignment.csv': csvOf([...headings, 'ownWeight', 'ownWeightStandardError', 'determined'], rows),
    'alignment.svg': alignedChart(results, { above: 0.9, of: ({ aligned }) => aligned }),
    'alignment-close.svg': alignedChart(results, { above: 0.99, of: ({ closelyAligned }) => closelyAligned }),
    ...Object.fromEntries(results.map((one) => [`alignment-${slug(one.name)}.svg`, histogramChart(one)])),
    'collapse-time.csv': csvOf(['data', 'dimension', 'collapseTime', 'closeTime', 'determinedTime'], collapse),
    'collapse-time.svg': collapseChart(results),
  };
}

/** A curve of errors. */
export function errorSeries(name: string, errors: readonly FieldErrorAtTime[]): Series {
  return { name, x: errors.map(({ time }) => time), y: errors.map(({ error }) => error.mean) };
}

/** Chart of errors over time. Source: [bertrand:25], figure 2, left. */
export function errorChart(series: readonly Series[]): string {
  return lineChart(series, {
    title: 'Error of the network against the exact field of its training data',
    xLabel: 'time, from noise (0) to data (1)',
    yLabel: 'mean squared error per element',
    yScale: 'log',
  });
}

function errorTexts({ training, heldOut }: FieldErrorResult): Texts {
  const sides = [['training', training] as const, ...(heldOut === null ? [] : [['held-out', heldOut] as const])];
  const rows = sides.flatMap(([side, errors]) =>
    errors.map(({ time, error, referenceSquare }) => [side, time, ...estimateCells(error), referenceSquare.mean]),
  );
  return {
    'field-error.csv': csvOf(['points', 'time', 'error', 'standardError', 'pairs', 'exactSquare'], rows),
    'field-error.svg': errorChart(sides.map(([side, errors]) => errorSeries(`xt of ${side} data`, errors))),
  };
}

/** Files about hybrid flows, but for their images. Source: [bertrand:25], figure 3, top. */
export function hybridTexts({ switches, seed }: HybridResult, within: NearnessResult | null): Texts {
  const x = switches.map(({ tau }) => tau);
  const shown = switches[0]!.shown.map(
    (_, noise): Series => ({
      name: `noise ${seed + noise}`,
      x,
      y: switches.map((one) => one.shown[noise]!),
    }),
  );
  const mean: Series = { name: 'mean', x, y: switches.map(({ distance }) => distance.mean), style: 'points' };
  const level = within?.distance.mean ?? Number.NaN;
  const own: Series = { name: 'within the data', x, y: x.map(() => level), style: 'dashed' };
  const rows = switches.map(({ tau, distance, memorised, shown: values }) => [
    ...[tau, ...estimateCells(distance), memorised.mean, memorised.standardError, ...values],
  ]);
  const headings = ['tau', 'distance', 'standardError', 'samples', 'memorised', 'memorisedStandardError'];
  return {
    'hybrid.csv': csvOf([...headings, ...shown.map(({ name }) => name.replace(' ', ''))], rows),
    'hybrid.svg': lineChart([mean, ...(within === null ? [] : [own]), ...shown], {
      title: 'Samples that follow the exact field up to tau, and the network from there on',
      xLabel: 'tau',
      yLabel: 'distance to the nearest training datum, latent units',
      yRange: [0, null],
    }),
  };
}

function memorisationTexts({ samples, heldOut }: MemorisationResult, within: NearnessResult | null): Texts {
  const line = (of: string, { distance, ratio, memorised, threshold }: NearnessResult) => [
    ...[
      of,
      ...estimateCells(distance),
      ratio.mean,
      ratio.standardError,
      memorised.mean,
      memorised.standardError,
      threshold,
    ],
  ];
  const rows = [
    line('samples', samples),
    ...(heldOut === null ? [] : [line('held-out data', heldOut)]),
    ...(within === null ? [] : [line('training data', within)]),
  ];
  const headings = ['of', 'distance', 'standardError', 'count', 'ratio', 'ratioStandardError', 'memorised'];
  return { 'memorisation.csv': csvOf([...headings, 'memorisedStandardError', 'threshold'], rows) };
}

/** Writes texts into a folder, which is made. @returns their paths. */
export function writeTexts(folder: string, texts: Texts): string[] {
  mkdirSync(folder, { recursive: true });
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}

/** Writes the files into a folder. @returns their paths. */
export async function writeClosedFormFiles(
  folder: string,
  results: ClosedFormResults & { readonly seed: number },
  picture: (ImageStack & { readonly columns: number }) | null,
): Promise<string[]> {
  const { alignment, error, hybrid, memorisation, within } = results;
  const paths = writeTexts(folder, {
    'closed-form.json': `${JSON.stringify(results, null, 2)}\n`,
    ...(alignment === null ? {} : alignmentTexts(alignment)),
    ...(error === null ? {} : errorTexts(error)),
    ...(hybrid === null ? {} : hybridTexts(hybrid, within)),
    ...(memorisation === null ? {} : memorisationTexts(memorisation, within)),
  });
  if (picture === null) return paths;
  const grid = join(folder, 'hybrid.png');
  await writeImageGrid(grid, picture, { columns: picture.columns });
  return [...paths, grid];
}
