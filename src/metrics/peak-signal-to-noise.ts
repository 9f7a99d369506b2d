/** Peak signal-to-noise ratio of pictures and their reconstructions. */

import type { Metric } from './metric.ts';
import { type PicturePairs, pairMetric, pairShape } from './picture-pairs.ts';

/**
 * Ratio of each picture in decibels, 10 log10(255^2 / mean squared error over channels and pixels): [count]; infinite for equal pictures.
 * Source: [wang:04], section I.
 * @throws ShapeError if the two do not have the shape.
 */
export function peakSignalToNoiseOf(pairs: PicturePairs): Float64Array {
  const { count, elements } = pairShape(pairs, 'metrics/peak-signal-to-noise');
  const { pictures, originals } = pairs;
  return Float64Array.from({ length: count }, (_, image) => {
    let sum = 0;
    for (let i = image * elements; i < (image + 1) * elements; i++) sum += (pictures[i] - originals[i]) ** 2;
    return 10 * Math.log10((255 * 255 * elements) / sum);
  });
}

/** Mean over pictures of that ratio, in dB. @throws ShapeError as above; ConfigError if there is no picture. */
export function peakSignalToNoise(pairs: PicturePairs): Metric {
  const choices = { peak: 255, error: 'mean over channels and pixels', mean: 'of decibels' };
  return pairMetric(peakSignalToNoiseOf(pairs), { name: 'peak-signal-to-noise', unit: 'dB', choices });
}
