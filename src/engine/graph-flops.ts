import { expandGraph, type Graph } from './graph.ts';
import { elementCount } from './shape.ts';

/**
 * Floating-point operations of a graph's products and convolutions, counted from shapes as traced: how they are lowered does not
 * matter. A multiplication with its addition is 2; everything else counts as nothing.
 */
export function graphFlops(graph: Graph): number {
  const { values, calls } = expandGraph(graph);
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
