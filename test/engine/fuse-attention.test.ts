import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuseAttention } from '../../src/engine/fuse-attention.ts';
import { closeGraph, type Graph } from '../../src/engine/graph.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { matmul, multiply, softmax } from '../../src/engine/ops.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType } from '../../src/engine/trace.ts';
import { channelsFirstAttention, tokensFirstAttention } from '../../src/models/layers/attention.ts';
import { drawGraphInputs, executeGraph, relativeError } from './execute-graph.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

function graphOf(shape: readonly number[], f: (query: Tensor, key: Tensor, value: Tensor) => Tensor): Graph {
  const [query, key, value] = [0, 1, 2].map(() => placeholder(tensorType(shape)));
  return closeGraph(Object.entries({ query, key, value }), [['y', f(query!, key!, value!)]]);
}

const names = ({ calls }: Graph) => calls.map(({ primitive }) => primitive.name);

describe('fuseAttention', () => {
  it.each([
    ['of tokens', graphOf([9, 2, 12], (query, key, value) => tokensFirstAttention({ query, key, value }, 3))],
    ['of feature maps', graphOf([2, 12, 9], (query, key, value) => channelsFirstAttention({ query, key, value }, 3))],
    [
      'with plain products',
      graphOf([3, 5, 4], (query, key, value) => matmul(softmax(matmul(query, key, { transposeB: true })), value)),
    ],
  ])('keeps attention %s as it is, in one operation', async (_name, graph) => {
    const whole = fuseAttention(graph);
    expect(names(whole)).toContain('attention');
    expect(names(whole)).not.toContain('softmax');
    expect(names(whole)).not.toContain('matmul');
    const inputs = drawGraphInputs(graph, { low: -3, high: 3 });
    const [{ y: wanted }, { y }] = [
      await executeGraph(runtime, graph, inputs),
      await executeGraph(runtime, whole, inputs),
    ];
    expect(relativeError(y!, wanted as Float32Array)).toBeLessThan(1e-5);
  });

  it.each([
    ['a factor on the mixture', { alpha: 2 }],
    ['weights of keys for queries', { transposeA: true }],
  ])('leaves %s alone', (_name, options) => {
    const graph = graphOf([3, 4, 4], (query, key, value) =>
      matmul(softmax(matmul(query, key, { transposeB: true })), value, options),
    );
    expect(names(fuseAttention(graph))).toEqual(names(graph));
  });

  it('leaves a softmax alone that is no product', () => {
    const graph = graphOf([3, 4, 4], (query, key, value) => matmul(softmax(multiply(query, key)), value));
    expect(names(fuseAttention(graph))).toEqual(names(graph));
  });
});
