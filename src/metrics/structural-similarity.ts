/** Structural similarity of pictures and their reconstructions. */

import { ShapeError } from '../errors.ts';
import type { Metric } from './metric.ts';
import { type PicturePairs, pairMetric, pairShape } from './picture-pairs.ts';

const where = 'metrics/structural-similarity';

/** Side of the window, and the deviation of its Gaussian in pixels [wang:04]. */
const WINDOW = 11;
const DEVIATION = 1.5;

/** (K1 L)^2 and (K2 L)^2 with K1 = 0.01, K2 = 0.03 and L = 255 [wang:04]. */
const LUMINANCE = (0.01 * 255) ** 2;
const CONTRAST = (0.03 * 255) ** 2;

/** The Gaussian along one axis, summing to 1. */
const weights = gaussian();

function gaussian(): Float64Array {
  const values = Float64Array.from({ length: WINDOW }, (_, i) =>
    Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * DEVIATION ** 2)),
  );
  const sum = values.reduce((total, one) => total + one, 0);
  return values.map((one) => one / sum);
}

/** Means by the window at each of its places inside a map: [height, width] to [height - 10, width - 10]. */
function windowMeans(map: Float64Array, height: number, width: number): Float64Array {
  const inner = width - WINDOW + 1;
  const rows = new Float64Array(height * inner);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < inner; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += weights[k] * map[y * width + x + k];
      rows[y * inner + x] = sum;
    }
  }
  const means = new Float64Array((height - WINDOW + 1) * inner);
  for (let i = 0; i < means.length; i++) {
    let sum = 0;
    for (let k = 0; k < WINDOW; k++) sum += weights[k] * rows[i + k * inner];
    means[i] = sum;
  }
  return means;
}

/** Mean similarity of two maps [height, width], eqs. (13) to (17). */
function mapSimilarity(a: Float64Array, b: Float64Array, [height, width]: readonly [number, number]): number {
  const means = (map: Float64Array) => windowMeans(map, height, width);
  const [meanA, meanB] = [means(a), means(b)];
  const [squareA, squareB] = [means(a.map((value) => value * value)), means(b.map((value) => value * value))];
  const product = means(a.map((value, i) => value * b[i]));
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const both = meanA[i] * meanB[i];
    const squares = meanA[i] ** 2 + meanB[i] ** 2;
    const variances = squareA[i] + squareB[i] - squares;
    const covariance = product[i] - both;
    sum += ((2 * both + LUMINANCE) * (2 * covariance + CONTRAST)) / ((squares + LUMINANCE) * (variances + CONTRAST));
  }
  return sum / meanA.length;
}

/**
 * Structural similarity of each picture, in [-1, 1], 1 for equal ones: [count]. SSIM of [wang:04], eqs. (13) to (17): 11 x 11 Gaussian
 * window of deviation 1.5 that lies inside the picture, variances of the window without correction, K1 = 0.01, K2 = 0.03; the mean over
 * positions and channels.
 * @throws ShapeError if the two do not have the shape, or a side is shorter than the window.
 */
export function structuralSimilarityOf(pairs: PicturePairs): Float64Array {
  const { count } = pairShape(pairs, where);
  const [channels, height, width] = pairs.shape;
  if (height < WINDOW || width < WINDOW) {
    throw new ShapeError({ expected: `sides of at least ${WINDOW} pixels`, got: `${height} x ${width}`, where });
  }
  const pixels = height * width;
  const mapOf = (bytes: Uint8Array, map: number) => Float64Array.from(bytes.subarray(map * pixels, (map + 1) * pixels));
  return Float64Array.from({ length: count }, (_, image) => {
    let sum = 0;
    for (let map = image * channels; map < (image + 1) * channels; map++) {
      sum += mapSimilarity(mapOf(pairs.pictures, map), mapOf(pairs.originals, map), [height, width]);
    }
    return sum / channels;
  });
}

/** Mean over pictures of that similarity. @throws ShapeError as above; ConfigError if there is no picture. */
export function structuralSimilarity(pairs: PicturePairs): Metric {
  const choices = {
    window: 'gaussian 11 x 11, deviation 1.5, inside the picture',
    K1: 0.01,
    K2: 0.03,
    range: 255,
    colours: 'mean over channels',
  };
  return pairMetric(structuralSimilarityOf(pairs), { name: 'structural-similarity', unit: '1', choices });
}
