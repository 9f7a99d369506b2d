/** Kernel distance of feature sets: the squared maximum mean discrepancy with a polynomial kernel. */
import { ConfigError } from '../errors.ts';
import type { RowSet } from '../numerics/distance-tiles.ts';
import { type DoubleProducts, hostDoubleProducts } from '../numerics/double-products.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { jackknifeError } from '../numerics/jackknife.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import { checkSameNetwork, type FeatureSet, featureChoices, rowsOfFeatures } from './feature-set.ts';
import type { ProductOptions } from './feature-statistics.ts';
import { selectRows } from './frechet-distance.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

/** Rows and columns of a tile of kernel values. */
const tileRows = 512;
const tileColumns = 1024;

/** Kernel values summed: over the other set or the others of the same set for each row, and in all. */
interface KernelSums {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly total: number;
}

function toDouble({ values, elements }: RowSet, from: number, to: number): Float64Array {
  return Float64Array.from(values.subarray(from * elements, to * elements));
}

/** Sums of (x.y / d + 1)^3 by row and by column; a row with itself does not count where both sets are the same. */
async function kernelSums(x: RowSet, y: RowSet, products: DoubleProducts): Promise<KernelSums> {
  const { elements } = x;
  const [rows, columns] = [new Float64Array(x.count), new Float64Array(y.count)];
  for (let i0 = 0; i0 < x.count; i0 += tileRows) {
    const a = toDouble(x, i0, Math.min(x.count, i0 + tileRows));
    for (let j0 = 0; j0 < y.count; j0 += tileColumns) {
      const b = toDouble(y, j0, Math.min(y.count, j0 + tileColumns));
      const p = await products(a, b, elements);
      const [height, width] = [a.length / elements, b.length / elements];
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          if (x === y && i0 + i === j0 + j) continue;
          const base = p[i * width + j]! / elements + 1;
          const value = base * base * base;
          rows[i0 + i] = rows[i0 + i]! + value;
          columns[j0 + j] = columns[j0 + j]! + value;
        }
      }
    }
  }
  return { rows, columns, total: rows.reduce((sum, value) => sum + value, 0) };
}

/** The three sums of a discrepancy. */
interface Discrepancy {
  readonly xx: KernelSums;
  readonly yy: KernelSums;
  readonly xy: KernelSums;
  readonly m: number;
  readonly n: number;
  readonly value: number;
}

async function discrepancy(x: RowSet, y: RowSet, products: DoubleProducts): Promise<Discrepancy> {
  const [m, n] = [x.count, y.count];
  if (m < 2 || n < 2) {
    throw new ConfigError({
      expected: 'at least two images in each set',
      got: `${m} and ${n}`,
      where: 'metrics/kernel-distance',
    });
  }
  const xx = await kernelSums(x, x, products);
  const yy = await kernelSums(y, y, products);
  // A set beside itself is still two draws, so that no pair is left out.
  const xy = await kernelSums(x, { ...y }, products);
  const value = xx.total / (m * (m - 1)) + yy.total / (n * (n - 1)) - (2 * xy.total) / (m * n);
  return { xx, yy, xy, m, n, value };
}

/** Jackknife over single images of both sets, from the sums by row; NaN for sets of fewer than three. */
function discrepancyError({ xx, yy, xy, m, n }: Discrepancy): number {
  const without = (own: KernelSums, cross: Float64Array, [size, other]: readonly [number, number]) =>
    own.rows.map(
      (sum, i) =>
        (own.total - 2 * sum) / ((size - 1) * (size - 2)) - (2 * (xy.total - cross[i]!)) / ((size - 1) * other),
    );
  return Math.hypot(jackknifeError(without(xx, xy.rows, [m, n])), jackknifeError(without(yy, xy.columns, [n, m])));
}

/**
 * The unbiased estimate of the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3:
 * mean over pairs within each set plus mean over pairs within the other, less twice the mean over pairs across. It is below 0 about
 * half of the time where the sets have the same distribution.
 *
 * Sources: [gretton:12], eq. (3); [binkowski:18], section 4.
 * @throws ConfigError if there are fewer than two images in a set, or networks differ; NumericalError if a number is not finite.
 */
export async function kernelDistance(
  a: FeatureSet,
  b: FeatureSet,
  { products = hostDoubleProducts }: ProductOptions = {},
): Promise<number> {
  checkSameNetwork(a, b);
  return (await discrepancy(rowsOfFeatures(a), rowsOfFeatures(b), products)).value;
}

function kernelConvention(reference: FeatureSet, estimator: string): string {
  return describeConvention({ ...featureChoices(reference), kernel: '(x.y/d+1)^3', estimator });
}

/**
 * Kernel distance over all pairs of images: no choice of subsets and no bias, so that counts are no part of the convention. The
 * standard error is over draws of both sets (jackknife; NaN becomes null for sets of two).
 */
export async function kernelMetric(
  generated: FeatureSet,
  reference: FeatureSet,
  { products = hostDoubleProducts }: ProductOptions = {},
): Promise<Metric> {
  checkSameNetwork(generated, reference);
  const result = await discrepancy(rowsOfFeatures(generated), rowsOfFeatures(reference), products);
  return {
    name: 'kernel-distance',
    value: result.value,
    unit: 'kernel units',
    samples: { generated: result.m, reference: result.n },
    standardError: finiteOrNull(discrepancyError(result)),
    convention: kernelConvention(reference, 'unbiased, all pairs'),
  };
}

export interface KernelSubsetOptions extends ProductOptions {
  /** Subsets. Default 100. */
  readonly subsets?: number;
  /** Images of each set in a subset, drawn without replacement. Default 1000. */
  readonly size?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Kernel distances of random subsets of both sets, float64 [subsets]. @throws ConfigError if a set has fewer than `size` images. */
export async function kernelDistanceOfSubsets(
  a: FeatureSet,
  b: FeatureSet,
  options: KernelSubsetOptions = {},
): Promise<Float64Array> {
  const { subsets = 100, size = 1000, seed = 0, products = hostDoubleProducts } = options;
  const [na, nb] = [rowsOfFeatures(a).count, rowsOfFeatures(b).count];
  if (!(size >= 2 && size <= Math.min(na, nb) && subsets >= 2)) {
    throw new ConfigError({
      expected: `\`size\` in [2, ${Math.min(na, nb)}], the images of the smaller set, and at least 2 \`subsets\``,
      got: `size ${size}, subsets ${subsets}`,
      where: 'metrics/kernel-distance',
      remedy: 'a smaller size, or the distance over all pairs',
    });
  }
  const values = new Float64Array(subsets);
  for (let s = 0; s < subsets; s++) {
    const draw = (set: FeatureSet, count: number, which: string) =>
      selectRows(set, permutation(count, stream(seed, `metrics-kernel-${which}`, s)).subarray(0, size));
    values[s] = await kernelDistance(draw(a, na, 'first'), draw(b, nb, 'second'), { products });
  }
  return values;
}

/**
 * Mean kernel distance over random subsets, as it is most often published.
 *
 * Subsets share images, so their standard deviation over sqrt(subsets) would be too small where there are many: the error divides by
 * no more than the number of subsets that could be drawn without sharing.
 * Source: [binkowski:18], section 4.
 */
export async function kernelSubsetMetric(
  generated: FeatureSet,
  reference: FeatureSet,
  options: KernelSubsetOptions = {},
): Promise<Metric> {
  const { subsets = 100, size = 1000, seed = 0 } = options;
  const { mean, standardError } = estimateMean(await kernelDistanceOfSubsets(generated, reference, options));
  const counts = [generated, reference].map(({ values, dimensions }) => values.length / dimensions);
  const disjoint = Math.floor(Math.min(...counts) / size);
  return {
    name: 'kernel-distance-subsets',
    value: mean,
    unit: 'kernel units',
    samples: { generated: counts[0]!, reference: counts[1]!, subsets },
    standardError: standardError * Math.sqrt(Math.max(1, subsets / disjoint)),
    convention: kernelConvention(reference, `unbiased, mean of ${subsets} subsets of ${size}, seed ${seed}`),
  };
}
