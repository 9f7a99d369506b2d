import { join } from 'node:path';
import { lineChart, type Series, smoothed } from '../report/line-chart.ts';
import { readLog, runDirectory, writeWhole } from './run-directory.ts';
import type { RunEvent } from './run-types.ts';

/** Steps to each side of which a point of the smooth curve is the mean, as a share of all. */
const smoothing = 1 / 40;

/** The curves of a run's log: loss of the steps, its running mean, loss on held-out images; plus a line for the best constant. */
export function curveSeries(events: readonly RunEvent[], constantLoss: number | null): Series[] {
  const steps = events.filter((event) => event.kind === 'step');
  const validations = events.filter((event) => event.kind === 'validation');
  const x = steps.map(({ imagesSeen }) => imagesSeen);
  const losses = steps.map(({ loss }) => loss);
  const last = Math.max(0, ...events.map((event) => ('imagesSeen' in event ? event.imagesSeen : 0)));
  return [
    { name: 'training loss', x, y: smoothed(losses, Math.ceil(losses.length * smoothing)) },
    ...(validations.length === 0
      ? []
      : [
          {
            name: 'held-out loss',
            x: validations.map(({ imagesSeen }) => imagesSeen),
            y: validations.map(({ loss }) => loss),
            style: 'points' as const,
          },
        ]),
    ...(constantLoss === null
      ? []
      : [{ name: 'best constant', x: [0, last], y: [constantLoss, constantLoss], style: 'dashed' as const }]),
  ];
}

/** What a curve is called, and what is beside it. */
export interface CurveOptions {
  readonly name: string;
  /** Loss of the best constant prediction; default `null`: none. */
  readonly constantLoss?: number | null;
  /** What the loss is; default that of flows. */
  readonly yLabel?: string;
}

/** Draws `training-curve.svg` into a run's folder from its log. @returns its path. */
export function writeTrainingCurve(
  path: string,
  { name, constantLoss = null, yLabel = 'mean squared error of the velocity' }: CurveOptions,
): string {
  const file = join(path, 'training-curve.svg');
  const series = curveSeries(readLog(runDirectory(path)), constantLoss);
  const labels = { title: name, xLabel: 'images seen', yLabel };
  writeWhole(file, lineChart(series, { ...labels, yRange: [0, null] }));
  return file;
}
