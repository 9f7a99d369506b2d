/** Floating-point operations of a training step: 3 times its forward pass (one product for the result, one for each operand's gradient). */
import type { Graph } from '../src/engine/graph.ts';
import { graphFlops } from '../src/engine/graph-flops.ts';

/** Operations of a training step whose forward pass is the graph. */
export function stepFlops(forward: Graph): number {
  return 3 * graphFlops(forward);
}

/** Rate in 10^9 operations a second. */
export function gigaflops(flops: number, ms: number): number {
  return flops / ms / 1e6;
}
