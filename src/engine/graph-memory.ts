/** Memory that a graph takes while it is executed, by the lifetimes of its values. */
import { dtypeFacts } from './dtype.ts';
import { expandGraph, type Graph, type GraphCall } from './graph.ts';
import { elementCount } from './shape.ts';
import type { TensorType } from './tensor.ts';

/** Bytes of a tensor's elements. */
export function tensorBytes({ dtype, shape }: TensorType): number {
  return elementCount(shape) * dtypeFacts[dtype].bytes;
}

/** Primitives whose results are the memory of their inputs under another shape. */
const views: ReadonlySet<string> = new Set(['reshape', 'barrier', 'stopGradient']);

/** For each value the value whose memory it is. */
function owners({ values, calls }: Graph): number[] {
  const owner = [...values.keys()];
  for (const { primitive, inputs, outputs } of calls) {
    if (views.has(primitive.name)) for (const [i, output] of outputs.entries()) owner[output] = owner[inputs[i]];
  }
  return owner;
}

/** For each value the last of the calls that reads its memory; -1 for none. */
function lastReads({ values, calls }: Graph, owner: readonly number[]): number[] {
  const last = values.map(() => -1);
  for (const [index, { inputs }] of calls.entries()) for (const value of inputs) last[owner[value]] = index;
  return last;
}

/**
 * Most bytes that the values between inputs and outputs occupy at once, when the calls run in the graph's order and a value is given up
 * after the last call that reads it; bodies of rematerialised calls count with what is in them.
 *
 * An estimate: a runtime orders calls that do not depend on each other as it likes, writes some results over operands, and takes room of its
 * own within a call.
 */
export function peakBytes(graph: Graph): number {
  const expanded = expandGraph(graph);
  const owner = owners(expanded);
  const last = lastReads(expanded, owner);
  const outside = new Set([...expanded.inputs, ...expanded.outputs].map(({ value }) => owner[value]));
  const isOwn = (value: number) => owner[value] === value && !outside.has(value);
  const bytes = (value: number) => tensorBytes(expanded.values[value]);
  let held = 0;
  let most = 0;
  const given = new Set<number>();
  const giveUp = ({ inputs, outputs }: GraphCall, index: number) => {
    for (const value of [...inputs, ...outputs].map((one) => owner[one])) {
      if (!isOwn(value) || last[value] > index || given.has(value)) continue;
      given.add(value);
      held -= bytes(value);
    }
  };
  for (const [index, call] of expanded.calls.entries()) {
    for (const value of call.outputs) if (isOwn(value)) held += bytes(value);
    most = Math.max(most, held);
    giveUp(call, index);
  }
  return most;
}
