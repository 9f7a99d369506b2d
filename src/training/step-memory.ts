/** How much memory a training step takes, before it is made. */
import { peakBytes, tensorBytes } from '../engine/graph-memory.ts';
import type { StateGroups } from '../engine/state-store.ts';
import { accumulateGraph, type StepParts, stateTypes, stepGraph, updateGraph } from './step.ts';

export interface StepMemory {
  /** Parameters, optimizer, average and sums of gradients: twice, as they are and as the step makes them, unless it writes in place. */
  readonly stateBytes: number;
  /** The most that values in between take at once: what is kept for the gradient, and gradients. */
  readonly betweenBytes: number;
}

function groupsBytes(groups: StateGroups): number {
  return Object.values(groups)
    .flat()
    .reduce((sum, spec) => sum + tensorBytes(spec), 0);
}

/**
 * An estimate by the lifetimes of the traced values, see `peakBytes`. The program, batches and samples come on top; so does room that
 * kernels take for themselves, which is most for convolutions. With the program, two networks took between 4 % less and 16 % more
 * than this (docs/log.md).
 */
export function stepMemory(parts: StepParts, { inPlace = false } = {}): StepMemory {
  const graphs = parts.accumulate === 1 ? [stepGraph(parts)] : [accumulateGraph(parts), updateGraph(parts)];
  return {
    stateBytes: (inPlace ? 1 : 2) * groupsBytes(stateTypes(parts)),
    betweenBytes: Math.max(...graphs.map(peakBytes)),
  };
}
