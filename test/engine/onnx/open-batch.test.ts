import { Tensor as HostTensor, InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/engine/interpreter.ts';
import { emitGraph } from '../../../src/engine/onnx/emit.ts';
import { encodeModel } from '../../../src/engine/onnx/model-proto.ts';
import { withOpenBatch } from '../../../src/engine/onnx/open-batch.ts';
import { repeatedGraph } from '../../../src/engine/onnx/repeat-graph.ts';
import {
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  constantTensor,
  multiply,
  reshape,
  split,
  transpose,
} from '../../../src/engine/ops.ts';
import type { Tensor } from '../../../src/engine/tensor.ts';
import { tensorType, trace } from '../../../src/engine/trace.ts';

type Traced = (inputs: { readonly x: Tensor }, batch: number) => Tensor;

const graphOf = (f: Traced, batch: number) => trace((inputs) => f(inputs, batch), { x: tensorType([batch, 6]) });
const sized = (f: Traced, batch: number) => ({ graph: emitGraph(graphOf(f, batch)).graph, batch });
const opened = (f: Traced) => withOpenBatch(sized(f, 10_007), sized(f, 10_009));

/** Reshapes whose size can be inferred and which cannot, stretching, cutting in the middle of a doubled batch. */
const moving: Traced = ({ x }, batch) => {
  const rows = transpose(reshape(x, [batch, 2, 3]), [1, 0, 2]);
  const heads = reshape(rows, [2, batch * 3, 1]);
  const both = concat([x, multiply(x, 2)], 0);
  const [first, second] = split(both, 2, 0);
  const ones = broadcastTo(reshape(constant(1), [1, 1]), [batch, 6]);
  return add(add(first, second), add(ones, reshape(transpose(heads, [1, 0, 2]), [batch, 6])));
};

const values = (batch: number) => Float32Array.from({ length: 6 * batch }, (_, i) => Math.sin(i));

describe('withOpenBatch', () => {
  it('gives a graph that computes for every size what the graph of that size does', async () => {
    const graph = opened(moving)!;
    expect(graph.inputs[0]!.shape).toEqual(['batch', 6]);
    const session = await InferenceSession.create(encodeModel(graph));
    for (const batch of [1, 2, 5]) {
      const x = values(batch);
      const { output } = await session.run({ x: new HostTensor('float32', x, [batch, 6]) });
      expect(output!.dims).toEqual([batch, 6]);
      const wanted = interpret(graphOf(moving, batch), { x: Float64Array.from(x) }).output!;
      for (const [i, value] of (output!.data as Float32Array).entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
    }
    await session.release();
  });

  it.each<[string, Traced]>([
    ['numbers of the rows', ({ x }, batch) => add(x, constantTensor(new Float32Array(6 * batch), [batch, 6]))],
    ['the batch as a number', ({ x }, batch) => multiply(x, 1 / batch)],
    ['the batch on another axis', ({ x }) => transpose(x, [1, 0])],
    ['other operations for other sizes', ({ x }, batch) => (batch > 10_008 ? cast(cast(x, 'float64'), 'float32') : x)],
  ])('gives none where the graph holds %s', (_what, f) => {
    expect(opened(f)).toBeNull();
  });
});

describe('repeatedGraph', () => {
  it('repeats a graph that sees what is around it', async () => {
    const one = (f: (inputs: Record<'x' | 'step' | 'weight', Tensor>) => Record<string, Tensor>, names: string[]) => {
      const types = { x: tensorType([2]), step: tensorType([], 'int64'), weight: tensorType([2]) };
      const wanted = Object.fromEntries(Object.entries(types).filter(([name]) => names.includes(name)));
      return emitGraph(trace(f as never, wanted)).graph;
    };
    const graph = repeatedGraph({
      name: 'repeated',
      begin: emitGraph(trace(({ seed }) => ({ first: multiply(seed, 10) }), { seed: tensorType([2]) })).graph,
      // x <- weight x + step
      step: one(
        ({ x, step, weight }) => ({ next: add(multiply(weight, x), cast(step, 'float32')) }),
        ['x', 'step', 'weight'],
      ),
      end: one(({ x }) => ({ result: add(x, 0.5) }), ['x']),
      count: 3,
    });
    const session = await InferenceSession.create(encodeModel(graph));
    expect([...session.inputNames].sort()).toEqual(['seed', 'weight']);
    const { result } = await session.run({
      seed: new HostTensor('float32', Float32Array.of(1, 2), [2]),
      weight: new HostTensor('float32', Float32Array.of(1, 2), [2]),
    });
    // 10 + 0 + 1 + 2; ((20 · 2 + 0) · 2 + 1) · 2 + 2
    expect([...(result!.data as Float32Array)]).toEqual([13.5, 164.5]);
    await session.release();
  });
});
