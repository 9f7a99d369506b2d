import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose, nonFiniteOutput } from '../../src/engine/diagnose.ts';
import { gradient } from '../../src/engine/gradient.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import {
  cast,
  constantTensor,
  divide,
  exp,
  log,
  matmul,
  multiply,
  reduceSum,
  rematerialise,
  sin,
  sqrt,
  subtract,
} from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { ShapeError } from '../../src/errors.ts';
import { executeGraph, type HostArrays } from './execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

async function firstFault(graph: Graph, inputs: HostArrays): Promise<string | null> {
  const diagnosis = diagnose(graph);
  verifyGraph(diagnosis.graph);
  return diagnosis.explain((await executeGraph(runtime, diagnosis.graph, inputs))[nonFiniteOutput]);
}

describe('diagnose', () => {
  const types = { batch: { x: tensorType([3]), label: tensorType([3], 'int32') }, weight: tensorType([3]) };
  const graph = trace(({ batch, weight }) => {
    const ratio = divide(exp(batch.x), weight);
    const loss = reduceSum(multiply(sin(ratio), cast(batch.label, 'float32')));
    return { loss, next: gradient(loss, weight) };
  }, types);
  const fine = {
    'batch.x': Float32Array.of(1, 2, 3),
    'batch.label': Int32Array.of(0, 1, 2),
    weight: Float32Array.of(1, 1, 1),
  };

  test('finds nothing where all is finite', async () => {
    expect(await firstFault(graph, fine)).toBeNull();
  });

  test('names the division by zero in the middle, by call and printed line', async () => {
    expect(await firstFault(graph, { ...fine, weight: Float32Array.of(1, 0, 1) })).toMatch(
      /^NaN or infinity first in %4, the result of call 1 \(divide\): %4: f32\[3\] = divide\(%3, %2\)$/,
    );
  });

  test('names an input that is not finite already', async () => {
    expect(await firstFault(graph, { ...fine, 'batch.x': Float32Array.of(1, NaN, 3) })).toBe(
      'NaN or infinity already in input `batch.x`: f32[3]',
    );
    expect(await firstFault(graph, { ...fine, weight: Float32Array.of(1, -Infinity, 3) })).toMatch(/input `weight`/);
  });

  test('finds overflow in exp before what comes of it', async () => {
    expect(await firstFault(graph, { ...fine, 'batch.x': Float32Array.of(1, 100, 3) })).toMatch(/call 0 \(exp\)/);
  });

  test('sees values that only the gradient has', async () => {
    const root = trace(({ x }) => gradient(reduceSum(sqrt(x)), x), { x: tensorType([2]) });
    expect(await firstFault(root, { x: Float32Array.of(0, 1) })).toMatch(
      /\(divide\), output `output`: %\d+: f32\[2\] = /,
    );
  });

  test('looks into rematerialised bodies, also nested', async () => {
    const inner = trace(({ x }) => rematerialise((a) => rematerialise((b) => exp(subtract(log(b), 1)), [a]), [x])[0], {
      x: tensorType([2]),
    });
    expect(await firstFault(inner, { x: Float32Array.of(0, 1) })).toMatch(/\(log\): %1: f32\[2\] = log\(%0\)/);
  });

  test('is not fooled by products, in float64, or where a value is empty or a scalar', async () => {
    const product = trace(({ a, b, empty }) => ({ y: matmul(a, b), s: reduceSum(exp(empty)) }), {
      a: tensorType([2, 2], 'float64'),
      b: tensorType([2, 2], 'float64'),
      empty: tensorType([0, 3]),
    });
    const large = new Float64Array(4).fill(1e200);
    const inputs = { a: large, b: large, empty: new Float32Array(0) };
    expect(await firstFault(product, inputs)).toMatch(/\(matmul\), output `y`/);
    expect(await firstFault(product, { ...inputs, b: new Float64Array(4) })).toBeNull();
  });

  test('shortens calls with long constants', async () => {
    const constants = trace(({ x }) => multiply(x, constantTensor(new Array<number>(999).fill(NaN), [999])), {
      x: tensorType([999]),
    });
    const message = await firstFault(constants, { x: new Float32Array(999) });
    expect(message).toMatch(/^NaN or infinity first in %1, the result of call 0 \(constant\): .*\.\.\.$/);
    expect(message!.length).toBeLessThan(400);
  });

  test('handles a graph without floats, and refuses flags of another graph', () => {
    const whole = diagnose(trace(({ x }) => multiply(x, x), { x: tensorType([2], 'int32') }));
    verifyGraph(whole.graph);
    expect(whole.explain([])).toBeNull();
    expect(() => whole.explain([0])).toThrow(ShapeError);
  });
});
