import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { expandGraph, type Graph } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import {
  add,
  cast,
  constantTensor,
  exp,
  matmul,
  multiply,
  reduceSum,
  rematerialise,
  sin,
} from '../../src/engine/ops.ts';
import { primitiveNamed } from '../../src/engine/primitives/table.ts';
import { applyPrimitive, placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { drawGraphInputs, executeGraph, relativeError, runModel } from './execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

/** A way to call a block: as it is, or rematerialised. */
type Wrap = (block: (x: Tensor) => Tensor, x: Tensor) => Tensor;
const keep: Wrap = (block, x) => block(x);
const again: Wrap = (block, x) => rematerialise(block, [x])[0];

const BLOCKS = 3;
const types = {
  x: tensorType([4, 5], 'float64'),
  weights: Array.from({ length: BLOCKS }, () => tensorType([5, 5], 'float64')),
};
type Inputs = { readonly x: Tensor; readonly weights: readonly Tensor[] };

/** Sum of squares of the last of a few residual blocks; each captures its weight from outside. */
const chain =
  (wrap: Wrap) =>
  ({ x, weights }: Inputs): Tensor => {
    let h = x;
    for (const weight of weights) h = wrap((y) => add(y, sin(matmul(exp(matmul(y, weight)), weight))), h);
    return reduceSum(multiply(h, h));
  };

const lossAndGradient = (wrap: Wrap) => (inputs: Inputs) => ({
  loss: chain(wrap)(inputs),
  gradient: gradient(chain(wrap)(inputs), inputs),
});

function countCalls(graph: Graph, name: string): number {
  return expandGraph(graph).calls.filter(({ primitive }) => primitive.name === name).length;
}

describe('a rematerialised block', () => {
  const plain = trace(lossAndGradient(keep), types);
  const saving = trace(lossAndGradient(again), types);
  const inputs = drawGraphInputs(plain, { low: -0.5, high: 0.5 });

  test('has the same values and gradients, also of captured tensors', async () => {
    verifyGraph(saving);
    const wanted = interpret(plain, inputs);
    const references = interpret(saving, inputs);
    const actual = await executeGraph(runtime, saving, inputs);
    expect(Object.keys(wanted)).toContain('gradient.weights.2');
    for (const [name, values] of Object.entries(wanted)) {
      expect(relativeError(references[name], values), name).toBeLessThan(1e-14);
      expect(relativeError(actual[name], values), name).toBeLessThan(1e-12);
    }
  });

  test('has the same second derivative', () => {
    const second = (wrap: Wrap) =>
      trace((given: Inputs) => {
        const first = gradient(chain(wrap)(given), given.weights);
        return gradient(reduceSum(first.map((part) => reduceSum(multiply(part, part))).reduce(add)), given.weights);
      }, types);
    const wanted = interpret(second(keep), inputs);
    const graph = second(again);
    verifyGraph(graph);
    const actual = interpret(graph, inputs);
    for (const [name, values] of Object.entries(wanted)) {
      expect(relativeError(actual[name], values), name).toBeLessThan(1e-12);
    }
  });

  test('is computed again for the gradient', () => {
    // Two products a block forward and four backward; of a rematerialised block, the forward ones once more.
    expect(countCalls(plain, 'matmul')).toBe(BLOCKS * 6);
    expect(countCalls(saving, 'matmul')).toBe(BLOCKS * 8);
    expect(countCalls(saving, 'exp')).toBe(BLOCKS * 2);
  });

  test('leaves no call when nothing needs it', () => {
    const graph = trace(
      ({ x }) => {
        rematerialise(exp, [x]);
        return x;
      },
      { x: tensorType([2]) },
    );
    expect(graph.calls).toHaveLength(0);
  });

  test('nested in another one, has the same gradients', () => {
    const nested: Wrap = (block, x) => again((y) => again(block, y), x);
    const graph = trace(lossAndGradient(nested), types);
    verifyGraph(graph);
    const wanted = interpret(plain, inputs);
    const actual = interpret(graph, inputs);
    for (const [name, values] of Object.entries(wanted))
      expect(relativeError(actual[name], values), name).toBeLessThan(1e-13);
  });
});

describe('ONNX Runtime', () => {
  interface Kernel {
    readonly name: string;
    readonly start: number;
  }

  /** Kernels that a run of the model executes, in the order in which they start. */
  async function kernels(graph: Graph): Promise<Kernel[]> {
    const folder = mkdtempSync(join(tmpdir(), 'flowloom-remat-'));
    const session = { profilePrefix: join(folder, 'run') };
    const { profile } = await runModel(runtime, emitModel(graph), { inputs: drawGraphInputs(graph), session });
    const events = JSON.parse(readFileSync(profile!, 'utf8')) as { readonly name: string; readonly ts: number }[];
    rmSync(folder, { recursive: true });
    return events
      .filter(({ name }) => name.endsWith('_kernel_time'))
      .map(({ name, ts }) => ({ name: name.slice(0, -'_kernel_time'.length), start: ts }))
      .sort((a, b) => a.start - b.start);
  }

  const float32 = { x: tensorType([4, 5]), weights: types.weights.map(() => tensorType([5, 5])) };
  const products = (list: readonly Kernel[]) => list.filter(({ name }) => /MatMul|Gemm/.test(name));

  test('does not merge what is computed again with the original', async () => {
    const count = async (wrap: Wrap) => products(await kernels(trace(lossAndGradient(wrap), float32))).length;
    expect(await count(keep)).toBe(BLOCKS * 6);
    expect(await count(again)).toBe(BLOCKS * 8);
  });

  test.each([
    ['all tensors', (inputs: Inputs) => gradient(chain(again)(inputs), inputs)],
    ['the input alone', (inputs: Inputs) => gradient(chain(again)(inputs), inputs.x)],
    ['the weights from last to first', (inputs: Inputs) => gradient(chain(again)(inputs), inputs.weights.toReversed())],
  ])('recomputes a block only when the gradient has come to it, for %s', async (_what, f) => {
    const names = (await kernels(trace((inputs: Inputs) => ({ gradient: f(inputs) }), float32))).map(
      ({ name }) => name,
    );
    // The first kernel of a block is a product, and only backward products are transposed.
    const kinds = names.flatMap((name) => {
      if (name.startsWith('rematerialise_')) return name.includes('/exp') ? 'f' : [];
      return name.startsWith('exp') ? 'r' : name.includes('/FusedMatMul') ? 'b' : [];
    });
    expect(kinds.join('')).toMatch(/^f{3}(rb+){3}$/);
  });

  test('ends with a block, its weight’s gradient included, before it computes the next one again', async () => {
    const graph = trace((inputs: Inputs) => ({ gradient: gradient(chain(again)(inputs), inputs.weights) }), float32);
    // A block's backward pass has four transposed products: two for its input, two for its weight; the first block's input needs none.
    const kinds = (await kernels(graph)).flatMap(({ name }) => {
      if (name.startsWith('rematerialise_')) return [];
      return name.startsWith('exp') ? 'r' : name.includes('/FusedMatMul') ? 'b' : [];
    });
    expect(kinds.join('')).toBe('rbbbbrbbbbrbbb');
  });
});

describe('rematerialise', () => {
  test('returns a list, with captured tensors, inputs and constants as outputs, too', () => {
    const graph = trace(
      ({ x, w }) => rematerialise((y) => [multiply(y, w), y, w, constantTensor([1, 2], [2]), exp(w)], [x]),
      { x: tensorType([2]), w: tensorType([2]) },
    );
    verifyGraph(graph);
    const results = interpret(graph, { x: [2, 3], w: [0, 1] });
    expect(Object.values(results).map((values) => Array.from(values))).toEqual([
      [0, 3],
      [2, 3],
      [0, 1],
      [1, 2],
      [1, Math.E],
    ]);
  });

  test('takes inputs without a gradient', () => {
    const graph = trace(
      ({ x, mask }) =>
        gradient(reduceSum(rematerialise((y, m) => multiply(exp(y), cast(m, 'float64')), [x, mask])[0]), x),
      { x: tensorType([2], 'float64'), mask: tensorType([2], 'bool') },
    );
    verifyGraph(graph);
    expect(Array.from(interpret(graph, { x: [0, 1], mask: [1, 0] }).output)).toEqual([1, 0]);
  });

  test('refuses inputs that its body does not take', () => {
    const call = rematerialise(exp, [placeholder(tensorType([2]))])[0].call!;
    const other = placeholder(tensorType([3]));
    const primitive = primitiveNamed('rematerialise');
    expect(() => applyPrimitive(primitive, [other], call.attributes)).toThrow(
      'Expected inputs f32[2] of the body; got f32[3]. In engine rematerialise.',
    );
    expect(() => applyPrimitive(primitive, [], call.attributes)).toThrow('got none');
  });
});
