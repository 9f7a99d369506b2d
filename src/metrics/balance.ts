/** Whether the values of an attribute occur equally often. */
import { ConfigError } from '../errors.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { stream } from '../numerics/stream.ts';
import { describeConvention, finiteOrNull, type Metric } from './metric.ts';

/**
 * KL divergence of a histogram's shares from equal shares: sum_v p_v log(p_v K) in nats, for K values. 0 where all are equally
 * frequent, log K where only one occurs.
 *
 * Source: [briq:26], table 1.
 */
export function divergenceFromUniform(counts: ArrayLike<number>): number {
  let total = 0;
  for (let v = 0; v < counts.length; v++) total += counts[v]!;
  let sum = 0;
  for (let v = 0; v < counts.length; v++) {
    const share = counts[v]! / total;
    if (share > 0) sum += share * Math.log(share * counts.length);
  }
  return Math.max(0, sum);
}

export interface BalanceOptions {
  /** Name of the attribute, such as 'label by domain@1a2b'. It goes into the convention. */
  readonly attribute: string;
  /** Values that the attribute can have, 0 to values - 1. */
  readonly values: number;
  /** Draws with replacement for the standard error. Default 200. */
  readonly resamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

function histogram(attribute: ArrayLike<number>, values: number, rows: (i: number) => number): Uint32Array {
  const counts = new Uint32Array(values);
  for (let i = 0; i < attribute.length; i++) {
    const value = attribute[rows(i)]!;
    counts[value] = counts[value]! + 1;
  }
  return counts;
}

/**
 * The divergence of an attribute's histogram over images from a uniform one. With n images even equal shares give about
 * (values - 1) / (2 n), so the count belongs to the convention.
 *
 * The standard error is the deviation over bootstrap draws of the images [efron:93, algorithm 6.1].
 * @param attribute  value of each image, [images].
 * @throws ConfigError if there is no image, or a value is none of the attribute's.
 */
export function balanceMetric(attribute: Int32Array, options: BalanceOptions): Metric {
  const { attribute: name, values, resamples = 200, seed = 0 } = options;
  const foreign = attribute.find((value) => value < 0 || value >= values);
  if (attribute.length === 0 || foreign !== undefined) {
    throw new ConfigError({
      expected: `at least one image, with values of \`${name}\` from 0 to ${values - 1}`,
      got: foreign === undefined ? 'no image' : String(foreign),
      where: 'metrics/balance',
    });
  }
  const draws = Float64Array.from({ length: resamples }, (_, draw) => {
    const random = stream(seed, 'metrics-bootstrap', draw);
    return divergenceFromUniform(histogram(attribute, values, () => random.below(attribute.length)));
  });
  const { standardError, count } = estimateMean(draws);
  return {
    name: 'balance',
    value: divergenceFromUniform(histogram(attribute, values, (i) => i)),
    unit: 'nats',
    samples: { images: attribute.length, resamples },
    standardError: finiteOrNull(standardError * Math.sqrt(count)),
    convention: describeConvention({ attribute: name, values, images: attribute.length, divergence: 'KL to uniform' }),
  };
}
