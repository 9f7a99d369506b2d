/**
 * Floating-point operations, counted from shapes: a multiplication with its addition is 2; only matrix products and convolutions
 * count; a training step is 3 times its forward pass (one product for the result, one for each operand's gradient).
 */
import type { Graph } from '../src/engine/graph.ts';
import { elementCount } from '../src/engine/shape.ts';

/** Operations of a graph's products and convolutions, as traced: how they are lowered does not matter. */
export function graphFlops({ values, calls }: Graph): number {
  let total = 0;
  for (const { primitive, inputs, outputs, attributes } of calls) {
    const [first, second] = inputs.map((value) => values[value].shape);
    const output = elementCount(values[outputs[0]].shape);
    if (primitive.name === 'matmul') {
      const rowsFirst = attributes.rowsFirstA === true;
      const rows = rowsFirst ? first[0] : first[first.length - 2];
      total += 2 * output * (attributes.transposeA === true ? rows : first[first.length - 1]);
    }
    // Every output element reads a window of the kernel's input channels and taps: kernel [out, in, taps].
    if (primitive.name === 'conv2d') total += 2 * output * elementCount(second.slice(1));
    // Every input element is spread over the kernel's output channels and taps: kernel [in, out, taps].
    if (primitive.name === 'convTranspose2d') total += 2 * elementCount(first) * elementCount(second.slice(1));
  }
  return total;
}

/** Operations of a training step whose forward pass is the graph. */
export function stepFlops(forward: Graph): number {
  return 3 * graphFlops(forward);
}

/** Rate in 10^9 operations a second. */
export function gigaflops(flops: number, ms: number): number {
  return flops / ms / 1e6;
}
