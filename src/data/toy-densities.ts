/** Densities in the plane, for experiments that end in seconds. */
import { ConfigError } from '../errors.ts';
import { type RandomStream, stream } from '../numerics/stream.ts';
import type { VectorDataset } from './vector-dataset.ts';

interface Density {
  /** Names of the classes; null if the density has one part. */
  readonly classes: readonly string[] | null;
  /** One point with its class: [x, y, label]. */
  readonly draw: (random: RandomStream) => readonly [x: number, y: number, label: number];
}

const octants = ['0', '45', '90', '135', '180', '225', '270', '315'];

const densities = {
  /** Two half circles of radius 1 that hook into each other, centred on 0, with normal noise of 0.05. */
  'two-moons': {
    classes: ['upper', 'lower'],
    draw(random) {
      const label = random.below(2);
      const angle = Math.PI * random.uniform();
      const side = label === 0 ? 1 : -1;
      const x = side * (Math.cos(angle) - 0.5) + 0.05 * random.normal();
      const y = side * (Math.sin(angle) - 0.25) + 0.05 * random.normal();
      return [x, y, label];
    },
  },
  /** Eight normal distributions of deviation 0.2 on the circle of radius 2; classes are the angles in degrees. */
  'eight-gaussians': {
    classes: octants,
    draw(random) {
      const label = random.below(8);
      const angle = (Math.PI / 4) * label;
      return [2 * Math.cos(angle) + 0.2 * random.normal(), 2 * Math.sin(angle) + 0.2 * random.normal(), label];
    },
  },
  /** Uniform on the eight squares of one colour of a 4 x 4 board on [-2, 2]². */
  checkerboard: {
    classes: null,
    draw(random) {
      const column = random.below(4);
      const row = 2 * random.below(2) + (column % 2);
      return [column - 2 + random.uniform(), row - 2 + random.uniform(), 0];
    },
  },
  /** The spiral (t cos t, t sin t) / 7 with t = 1.5·pi·(1 + 2u), u uniform, and normal noise of 0.07. */
  'swiss-roll': {
    classes: null,
    draw(random) {
      const t = 1.5 * Math.PI * (1 + 2 * random.uniform());
      return [(t * Math.cos(t)) / 7 + 0.07 * random.normal(), (t * Math.sin(t)) / 7 + 0.07 * random.normal(), 0];
    },
  },
} as const satisfies { readonly [name: string]: Density };

/** Name of a toy density. */
export type ToyDensity = keyof typeof densities;

/** Names of all toy densities. */
export const toyDensities = Object.keys(densities) as readonly ToyDensity[];

/** How many points are drawn, and which. */
export interface ToyOptions {
  /** Number of points. */
  readonly count: number;
  /** Integer in [0, 2^32). */
  readonly seed: number;
  /** Points of different splits are independent. */
  readonly split: 'train' | 'test';
}

/**
 * Points of a toy density, float32 [count, 2]. Point i depends on seed, split and i alone.
 *
 * @throws ConfigError if count or seed is out of range.
 */
export function drawToyDensity(name: ToyDensity, { count, seed, split }: ToyOptions): VectorDataset {
  if (!Number.isInteger(count) || count < 1 || count > 2 ** 28) {
    throw new ConfigError({
      expected: '`count` to be an integer in [1, 2^28]',
      got: String(count),
      where: 'data/toy-densities',
    });
  }
  const density: Density = densities[name];
  const vectors = new Float32Array(2 * count);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const [x, y, label] = density.draw(stream(seed, `${name}/${split}`, i));
    vectors[2 * i] = x;
    vectors[2 * i + 1] = y;
    labels[i] = label;
  }
  return { kind: 'vectors', name, count, features: 2, vectors, labels, classes: density.classes };
}
