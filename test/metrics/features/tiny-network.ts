/** Small ONNX files of networks on images, for tests of features. */
import { encodeModel, type OnnxInitializer, type OnnxNode } from '../../../src/engine/onnx/model-proto.ts';
import { mulberry32Array } from '../../../src/numerics/mulberry32.ts';
import { node, spec } from '../../engine/tiny-models.ts';

/** Numbers in [-1, 1) that are the same in every test. */
export function weights(name: string, shape: readonly number[], seed: number): OnnxInitializer {
  const count = shape.reduce((product, n) => product * n, 1);
  return { name, dtype: 'float32', shape, data: Float32Array.from(mulberry32Array(seed, count), (u) => 2 * u - 1) };
}

/** Bytes of a model from `image` to the named output. */
export function networkFile(
  input: readonly number[],
  output: readonly [name: string, ...shape: number[]],
  { nodes, initializers = [] }: { readonly nodes: readonly OnnxNode[]; readonly initializers?: OnnxInitializer[] },
): Uint8Array {
  const [name, ...shape] = output;
  return encodeModel({
    name: 'tiny',
    nodes,
    initializers,
    inputs: [spec('image', input)],
    outputs: [spec(name, shape)],
  });
}

/** The images themselves, as the network sees them. */
export function identityFile(shape: readonly number[]): Uint8Array {
  return networkFile(shape, ['same', ...shape], { nodes: [node('same = Identity(image)')] });
}

/** A convolution, its rectified maps, their means and five scores, for batches of `batch` images of 8 x 8. */
export function classifierFile(batch: number): Uint8Array {
  const shape = [batch, 3, 8, 8];
  return networkFile(shape, ['scores', batch, 5], {
    nodes: [
      node('maps = Conv(image, kernel, bias)'),
      node('active = Relu(maps)'),
      node('means = GlobalAveragePool(active)'),
      node('flat = Flatten(means)'),
      node('scores = MatMul(flat, head)'),
    ],
    initializers: [weights('kernel', [6, 3, 3, 3], 1), weights('bias', [6], 2), weights('head', [6, 5], 3)],
  });
}
