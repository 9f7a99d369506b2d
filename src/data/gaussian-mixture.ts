/** Mixtures of normal distributions in any number of dimensions. */
import { ConfigError } from '../errors.ts';
import { stream } from '../numerics/stream.ts';
import type { VectorDataset } from './vector-dataset.ts';

/** Which mixture, and how many points of it. */
export interface MixtureOptions {
  /** Numbers in a point. */
  readonly dimension: number;
  /** Normal distributions, all equally likely. */
  readonly components: number;
  /** Standard deviation of each coordinate of the centres, which are normal themselves; 0 puts all of them at the origin. */
  readonly spread: number;
  /** Standard deviation of each coordinate about its centre. */
  readonly width: number;
  /** Points. */
  readonly count: number;
  /** Integer in [0, 2^32). */
  readonly seed: number;
}

const where = 'data/gaussian-mixture';
/** Numbers at most, 4 GiB of float32. */
const mostNumbers = 2 ** 30;

function check({ dimension, components, spread, width, count }: MixtureOptions): void {
  for (const [name, value] of Object.entries({ dimension, components, count })) {
    if (Number.isInteger(value) && value >= 1 && value <= mostNumbers) continue;
    throw new ConfigError({ expected: `\`${name}\` to be an integer of at least 1`, got: String(value), where });
  }
  for (const [name, value] of Object.entries({ spread, width })) {
    if (Number.isFinite(value) && value >= 0) continue;
    throw new ConfigError({ expected: `\`${name}\` to be a number of at least 0`, got: String(value), where });
  }
  if (count * dimension <= mostNumbers && components * dimension <= mostNumbers) return;
  throw new ConfigError({
    expected: `count and components times dimension to be at most ${mostNumbers}`,
    got: `${count} and ${components} times ${dimension}`,
    where,
    remedy: 'fewer points',
  });
}

/**
 * Points of a mixture of normals: m_k + width e with k uniform over the components, centres m_k = spread e_k, and e, e_k standard normal.
 * A coordinate has variance width² + spread² (1 - 1/components) about the mean of all, on average over the centres.
 *
 * Centre k depends on the seed and k alone, point i on the seed, its centre and i; more points, components or dimensions prolong what is
 * there.
 * @returns float32 [count, dimension], labelled with the component.
 * @throws ConfigError if an option is out of range.
 */
export function drawGaussianMixture(options: MixtureOptions): VectorDataset {
  check(options);
  const { dimension, components, spread, width, count, seed } = options;
  const centres = new Map<number, Float64Array>();
  const centreOf = (component: number): Float64Array => {
    const known = centres.get(component);
    if (known !== undefined) return known;
    const random = stream(seed, 'mixture-centre', component);
    const centre = Float64Array.from({ length: dimension }, () => spread * random.normal());
    centres.set(component, centre);
    return centre;
  };
  const vectors = new Float32Array(count * dimension);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const random = stream(seed, 'mixture-point', i);
    const component = random.below(components);
    const centre = centreOf(component);
    labels[i] = component;
    for (let k = 0, at = i * dimension; k < dimension; k++, at++) vectors[at] = centre[k]! + width * random.normal();
  }
  const classes = Array.from({ length: components }, (_, component) => `component ${component}`);
  return { kind: 'vectors', name: 'mixture', count, features: dimension, vectors, labels, classes };
}
