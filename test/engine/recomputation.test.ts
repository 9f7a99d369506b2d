import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { peakBytes } from '../../src/engine/graph-memory.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { add, groupNorm, layerNorm, matmul, multiply, reduceSum, silu } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { drawGraphInputs, runModel } from './execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

const SIDE = 32;
const MATRIX = SIDE * SIDE * 4;

const count = ({ calls }: Graph, name: string) => calls.filter(({ primitive }) => primitive.name === name).length;

/** h + silu(norm(h)) w for every weight, and the sum of squares. */
function residual(inputs: { readonly x: Tensor; readonly weights: readonly Tensor[] }): Tensor {
  const h = inputs.weights.reduce((y, w) => add(y, matmul(silu(layerNorm(y)), w)), inputs.x);
  return reduceSum(multiply(h, h));
}

/** Gradients by the weights of so many blocks. */
function graphOf(depth: number, recompute: boolean): Graph {
  const matrix = tensorType([SIDE, SIDE]);
  const weights = Array.from({ length: depth }, () => matrix);
  return trace((inputs) => gradient(residual(inputs), inputs.weights, { recompute }), { x: matrix, weights });
}

describe('a gradient that computes again what is cheap', () => {
  test('keeps one matrix a block, the residual sum, in place of two', () => {
    const growth = (recompute: boolean) =>
      (peakBytes(graphOf(20, recompute)) - peakBytes(graphOf(10, recompute))) / MATRIX;
    expect(growth(true) / 10).toBeLessThan(1.1); // with the inverse deviation of each row
    expect(growth(false) / 10).toBeGreaterThan(2);
  });

  test('has the same values, and computes norms and activation functions twice, but no product', () => {
    const [kept, again] = [graphOf(3, false), graphOf(3, true)];
    verifyGraph(again);
    expect(count(again, 'matmul')).toBe(count(kept, 'matmul'));
    // The first block reads an input, which is there in any case: the two are one.
    expect(count(again, 'silu')).toBe(2 * count(kept, 'silu') - 1);
    expect(count(again, 'standardize')).toBe(2 * count(kept, 'standardize') - 1);
    const inputs = drawGraphInputs(kept, { low: -1, high: 1 });
    expect(interpret(again, inputs)).toEqual(interpret(kept, inputs));
  });

  test('computes nothing again that takes no more room than what it follows from', () => {
    const matrix = tensorType([SIDE, SIDE]);
    const graph = (f: (x: Tensor, w: Tensor) => Tensor) =>
      trace(({ x, w }) => gradient(reduceSum(f(x, w)), { x, w }, { recompute: true }), { x: matrix, w: matrix });
    // SiLU's gradient reads its operand and its result; a factor's neither.
    expect(
      count(
        graph((x, w) => matmul(silu(matmul(x, w)), w)),
        'barrier',
      ),
    ).toBe(1);
    expect(
      count(
        graph((x, w) => matmul(multiply(matmul(x, w), 2), w)),
        'barrier',
      ),
    ).toBe(0);
  });

  test('takes results of one call that are kept and others that are computed again', () => {
    const types = { x: tensorType([2, 4, 5], 'float64'), w: tensorType([5, 5], 'float64') };
    const f = (recompute: boolean) =>
      trace(({ x, w }) => {
        const h = matmul(x, w);
        const normal = groupNorm(h, 2);
        return gradient(reduceSum(multiply(matmul(silu(normal), w), matmul(normal, w))), { x, w }, { recompute });
      }, types);
    const inputs = drawGraphInputs(f(false), { low: -1, high: 1 });
    verifyGraph(f(true));
    expect(interpret(f(true), inputs)).toEqual(interpret(f(false), inputs));
  });

  test('computes a value again when the gradient has come to it, and ends with it before the next one', async () => {
    const graph = graphOf(3, true);
    const folder = mkdtempSync(join(tmpdir(), 'flowloom-recompute-'));
    const session = { profilePrefix: join(folder, 'run') };
    const { profile } = await runModel(runtime, emitModel(graph), { inputs: drawGraphInputs(graph), session });
    const events = JSON.parse(readFileSync(profile!, 'utf8')) as { readonly name: string; readonly ts: number }[];
    rmSync(folder, { recursive: true });
    const kinds = events
      .filter(({ name }) => name.endsWith('_kernel_time'))
      .sort((a, b) => a.ts - b.ts)
      .map(({ name }) => (/LayerNormalization/.test(name) ? 'n' : /MatMul|Gemm/.test(name) ? 'p' : ''));
    // Three blocks forward; back, a norm, which an input made needless in the first block, and the gradients of its product.
    expect(kinds.join('')).toBe('npnpnp' + 'npp' + 'npp' + 'p');
  });
});
