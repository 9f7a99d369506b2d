/** Spectral norms of many Jacobians at once, by power iteration. */
import { NumericalError, ShapeError } from '../errors.ts';
import { stream } from '../numerics/stream.ts';
import type { JacobianImages, JacobianProducts } from './jacobian-products.ts';

/** Points whose Jacobians are asked for. */
export interface JacobianPoints {
  /** [count, elements]. */
  readonly x: Float32Array;
  /** [count]. */
  readonly time: Float64Array;
}

/** How norms are sought. */
export interface SpectralNormOptions {
  /** Seed of the start vectors: that of point i depends on the seed and i alone. */
  readonly seed: number;
  /** Relative residual at which a norm counts as found. Default 0.02. */
  readonly tolerance?: number;
  /** Products with J^T J for a point at most. Default 200. */
  readonly maxIterations?: number;
  readonly signal?: AbortSignal;
  /** Told after each product of a batch: points that are done, and products so far. */
  readonly onProgress?: (progress: { readonly done: number; readonly iterations: number }) => void;
}

/** Norms of some points with the state of the iteration that gave them. */
export interface SpectralNorms {
  /** |J w| of the last unit vector w: a lower bound of the largest singular value, float64 [count]. */
  readonly norms: Float64Array;
  /**
   * |J^T J w - |J w|^2 w| / |J w|^2, float64 [count]: some singular value of J differs from the norm by this share at most. Where the largest
   * one stands apart from the others, the norm's error is of the order of the square. 0 where J w = 0.
   */
  readonly residuals: Float64Array;
  /** Products with J^T J that each took: int32 [count]. */
  readonly iterations: Int32Array;
  /** Whether each residual fell to the tolerance: uint8 [count]. */
  readonly converged: Uint8Array;
}

/** A batch in which each row works on a point of its own; where one is done, the next takes its row. */
interface Slots {
  /** Number of the point in each row; a row without one repeats what it held. */
  readonly points: (number | null)[];
  readonly x: Float32Array;
  readonly time: Float32Array;
  /** Unit vectors, [batch, elements]. */
  readonly direction: Float32Array;
}

/** Writes `values` over their Euclidean norm, which is returned; a vector of zeros stays as it is. */
function writeUnit(values: ArrayLike<number>, out: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  const norm = Math.sqrt(squares);
  for (let i = 0; i < out.length; i++) out[i] = norm === 0 ? 0 : values[i]! / norm;
  return norm;
}

/** Puts a point into a row, with its start vector: a direction that prefers none. */
function place(slots: Slots, row: number, { point, points, seed }: Placing): void {
  const elements = slots.x.length / slots.points.length;
  const span = [row * elements, (row + 1) * elements] as const;
  slots.points[row] = point;
  slots.x.set(points.x.subarray(point * elements, (point + 1) * elements), span[0]);
  slots.time[row] = points.time[point]!;
  const random = stream(seed, 'power-iteration', point);
  writeUnit(
    Float64Array.from({ length: elements }, () => random.normal()),
    slots.direction.subarray(...span),
  );
}

interface Placing {
  readonly point: number;
  readonly points: JacobianPoints;
  readonly seed: number;
}

/** |J w| and the relative residual of a row's unit vector w, and the next vector in its place. */
function advance(slots: Slots, row: number, { image, normal }: JacobianImages): { norm: number; residual: number } {
  const elements = slots.x.length / slots.points.length;
  const [begin, end] = [row * elements, (row + 1) * elements];
  const { direction } = slots;
  let square = 0;
  let length = 0;
  for (let i = begin; i < end; i++) {
    square += image[i]! ** 2;
    length += direction[i]! ** 2;
  }
  // The vector is a unit vector up to float32 rounding, which is taken out of the quotient.
  square /= length;
  let residual = 0;
  for (let i = begin; i < end; i++) residual += (normal[i]! - square * direction[i]!) ** 2;
  writeUnit(normal.subarray(begin, end), direction.subarray(begin, end));
  return { norm: Math.sqrt(square), residual: square === 0 ? 0 : Math.sqrt(residual / length) / square };
}

/**
 * The largest singular value of each Jacobian J = dv/dx, by power iteration on J^T J with products alone. Rows of a batch work on points
 * of their own, and a finished one makes room for the next.
 *
 * Source: [behrmann:19], section 2.1 (power iteration by products), for a network as a whole instead of each layer; [briq:26], appendix B.
 * Fails when: the two largest singular values are close; then the norm is right and its vector is not, and `converged` may say no.
 * @throws ShapeError if x is not [count, elements]; NumericalError if a product is not finite; the signal's reason if it aborts.
 */
export async function spectralNorms(
  products: JacobianProducts,
  points: JacobianPoints,
  { seed, tolerance = 0.02, maxIterations = 200, signal, onProgress = () => {} }: SpectralNormOptions,
): Promise<SpectralNorms> {
  const { batch, elements } = products;
  const count = checkedCount(points, elements);
  const found = emptyNorms(count);
  const slots: Slots = {
    points: new Array<number | null>(batch).fill(null),
    x: new Float32Array(batch * elements),
    time: new Float32Array(batch),
    direction: new Float32Array(batch * elements),
  };
  let next = 0;
  const fill = (row: number) => {
    if (next < count) place(slots, row, { point: next++, points, seed });
    else slots.points[row] = null;
  };
  for (let row = 0; row < batch; row++) fill(row);
  for (let done = 0, iterations = 0; done < count; ) {
    const { x, time, direction } = slots;
    const images = await products.multiply({ x, time, direction, ...(signal === undefined ? {} : { signal }) });
    iterations++;
    for (let row = 0; row < batch; row++) {
      const point = slots.points[row]!;
      if (point === null) continue;
      const { norm, residual } = advance(slots, row, images);
      if (!Number.isFinite(residual)) throw notFinite(points.time[point]!);
      found.norms[point] = norm;
      found.residuals[point] = residual;
      found.iterations[point]!++;
      found.converged[point] = residual <= tolerance ? 1 : 0;
      if (found.converged[point] === 0 && found.iterations[point]! < maxIterations) continue;
      done++;
      fill(row);
    }
    onProgress({ done, iterations });
  }
  return found;
}

function emptyNorms(count: number): SpectralNorms {
  return {
    norms: new Float64Array(count),
    residuals: new Float64Array(count),
    iterations: new Int32Array(count),
    converged: new Uint8Array(count),
  };
}

function notFinite(time: number): NumericalError {
  return new NumericalError({
    expected: 'finite products with the Jacobian',
    got: `one that is not, at time ${time}`,
    where: 'analysis/spectral-norm',
    remedy: 'another checkpoint: the network itself is not finite there',
  });
}

function checkedCount({ x, time }: JacobianPoints, elements: number): number {
  if (x.length === time.length * elements) return time.length;
  throw new ShapeError({
    expected: `\`x\` to be [count, elements] = [${time.length}, ${elements}]`,
    got: `${x.length} numbers`,
    where: 'analysis/spectral-norm',
  });
}
