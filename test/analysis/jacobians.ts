/** Networks whose Jacobians are known, and Jacobians by brute force. */
import { interpret } from '../../src/engine/interpreter.ts';
import { matmul, multiply, reshape } from '../../src/engine/ops.ts';
import { elementCount } from '../../src/engine/shape.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import type { Model } from '../../src/models/model.ts';
import { constantly, parameter, parameterTypes } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';
import type { NetworkFlowOptions } from '../../src/sampling/network-flow.ts';
import { predictionGraph, randomParameters } from '../models/model-graphs.ts';

/** The network v(x, t) = t x W on rows x of `width` numbers: its Jacobian is t W^T everywhere. */
export function linearModel(width: number): Model {
  return {
    name: 'linear',
    parameters: { weight: parameter([width, width], constantly(0)) },
    predicts: 'velocity',
    input: { shape: [width] },
    classes: null,
    apply: (parameters, { x, time }) => {
      const { weight } = parameters as unknown as { readonly weight: Tensor };
      return multiply(matmul(x, weight), reshape(time, [time.shape[0]!, 1]));
    },
  };
}

/** An orthogonal matrix [width, width], row-major: a product of reflections at random vectors. */
function orthogonal(width: number, seed: number): Float64Array {
  const random = stream(seed, 'orthogonal');
  const matrix = Float64Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
  for (let reflection = 0; reflection < width; reflection++) {
    const normal = Float64Array.from({ length: width }, () => random.normal());
    const square = normal.reduce((sum, value) => sum + value * value, 0);
    for (let row = 0; row < width; row++) {
      let product = 0;
      for (let k = 0; k < width; k++) product += matrix[row * width + k]! * normal[k]!;
      for (let k = 0; k < width; k++) matrix[row * width + k]! -= (2 * product * normal[k]!) / square;
    }
  }
  return matrix;
}

/** A matrix with these singular values and random singular vectors, row-major. */
export function matrixWith(singular: readonly number[], seed = 1): Float32Array {
  const width = singular.length;
  const [left, right] = [orthogonal(width, seed), orthogonal(width, seed + 1)];
  const matrix = new Float32Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += left[i * width + k]! * singular[k]! * right[j * width + k]!;
      matrix[i * width + j] = sum;
    }
  }
  return matrix;
}

/** A network with random parameters, as analyses take it, and those parameters as inputs of its prediction's graph. */
export function randomNetwork(model: Model, batch: number, scale = 0.3) {
  const named = randomParameters(model, scale);
  const parameters = Object.fromEntries(Object.entries(named).map(([path, values]) => [path.slice(2), values]));
  const options: NetworkFlowOptions = { model, parameterTypes: parameterTypes(model.parameters), parameters, batch };
  return { options, named };
}

/** dv/dx at one point in float64, row-major [elements, elements], by central differences of the float64 references. */
export function jacobianByDifferences(
  model: Model,
  named: Readonly<Record<string, Float32Array>>,
  { x, time, step = 1e-5 }: { readonly x: Float32Array; readonly time: number; readonly step?: number },
): Float64Array {
  const elements = elementCount(model.input.shape);
  const graph = predictionGraph(model, { batch: 1, labelled: false });
  const velocity = (moved: number[]) => interpret(graph, { ...named, x: moved, time: [time] }).y!;
  const jacobian = new Float64Array(elements * elements);
  for (let column = 0; column < elements; column++) {
    const at = (by: number) => velocity(Array.from(x, (value, k) => (k === column ? value + by : value)));
    const [ahead, behind] = [at(step), at(-step)];
    for (let row = 0; row < elements; row++) {
      jacobian[row * elements + column] = (ahead[row]! - behind[row]!) / (2 * step);
    }
  }
  return jacobian;
}

/** Singular values of a square matrix, descending, by one-sided rotations of its columns until they are orthogonal. */
export function singularValues(matrix: Float64Array): number[] {
  const width = Math.sqrt(matrix.length);
  const columns = Array.from({ length: width }, (_, k) =>
    Float64Array.from({ length: width }, (_unused, row) => matrix[row * width + k]!),
  );
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  for (let sweep = 0; sweep < 30; sweep++) {
    for (const [i, a] of columns.entries()) {
      for (const b of columns.slice(i + 1)) {
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb)) continue;
        const angle = 0.5 * Math.atan2(2 * ab, aa - bb);
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < width; k++) {
          const [before, other] = [a[k]!, b[k]!];
          a[k] = cos * before + sin * other;
          b[k] = cos * other - sin * before;
        }
      }
    }
  }
  return columns.map((column) => Math.sqrt(dot(column, column))).sort((a, b) => b - a);
}
