import { describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { printGraph } from '../../src/engine/graph-text.ts';
import { add, constantTensor, matmul, multiply, reduceMean, silu, subtract } from '../../src/engine/ops.ts';
import { elementsOf, placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { ShapeError } from '../../src/errors.ts';

const types = {
  layers: [
    { weight: tensorType([3, 4]), bias: tensorType([4]) },
    { weight: tensorType([4, 1]), bias: tensorType([1]) },
  ],
  x: tensorType([5, 3]),
  wanted: tensorType([5, 1]),
};

type Layer = { readonly weight: Tensor; readonly bias: Tensor };
type Inputs = { readonly layers: readonly Layer[]; readonly x: Tensor; readonly wanted: Tensor };

const linear = (x: Tensor, { weight, bias }: Layer) => add(matmul(x, weight), bias);

function loss({ layers: [first, second], x, wanted }: Inputs): Tensor {
  const error = subtract(linear(silu(linear(x, first)), second), wanted);
  return reduceMean(multiply(error, error));
}

describe('trace', () => {
  test('turns a function into a graph that prints like this', () => {
    expect(printGraph(trace((inputs) => ({ loss: loss(inputs) }), types))).toMatchInlineSnapshot(`
      "input "layers.0.weight" = %0: f32[3,4]
      input "layers.0.bias" = %1: f32[4]
      input "layers.1.weight" = %2: f32[4,1]
      input "layers.1.bias" = %3: f32[1]
      input "x" = %4: f32[5,3]
      input "wanted" = %5: f32[5,1]
      %6: f32[5,4] = matmul(%4, %0) {"transposeA":false,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %7: f32[5,4] = add(%6, %1)
      %8: f32[5,4] = silu(%7)
      %9: f32[5,1] = matmul(%8, %2) {"transposeA":false,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %10: f32[5,1] = add(%9, %3)
      %11: f32[5,1] = subtract(%10, %5)
      %12: f32[5,1] = multiply(%11, %11)
      %13: f32[] = reduceMean(%12) {"axes":[0,1],"keepDims":false}
      output "loss" = %13"
    `);
  });

  test('turns its gradient into a graph that prints like this', () => {
    const graph = trace((inputs) => ({ layers: gradient(loss(inputs), inputs.layers) }), types);
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "input "layers.0.weight" = %0: f32[3,4]
      input "layers.0.bias" = %1: f32[4]
      input "layers.1.weight" = %2: f32[4,1]
      input "layers.1.bias" = %3: f32[1]
      input "x" = %4: f32[5,3]
      input "wanted" = %5: f32[5,1]
      %6: f32[] = constant() {"dtype":"float32","shape":[],"elements":{"$array":"float32","data":[1]}}
      %7: f32[1,1] = reshape(%6) {"shape":[1,1]}
      %8: f32[] = constant() {"dtype":"float32","shape":[],"elements":{"$array":"float32","data":[0.20000000298023224]}}
      %9: f32[1,1] = multiply(%7, %8)
      %10: f32[5,1] = broadcastTo(%9) {"shape":[5,1]}
      %11: f32[5,4] = matmul(%4, %0) {"transposeA":false,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %12: f32[5,4] = add(%11, %1)
      %13: f32[5,4] = silu(%12)
      %14: f32[5,1] = matmul(%13, %2) {"transposeA":false,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %15: f32[5,1] = add(%14, %3)
      %16: f32[5,1] = subtract(%15, %5)
      %17: f32[5,1] = multiply(%10, %16)
      %18: f32[5,1] = add(%17, %17)
      %19: f32[5,4] = matmul(%18, %2) {"transposeA":false,"transposeB":true,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %20: f32[5,4] = sigmoid(%12)
      %21: f32[5,4] = subtract(%6, %20)
      %22: f32[5,4] = multiply(%13, %21)
      %23: f32[5,4] = add(%20, %22)
      %24: f32[5,4] = multiply(%19, %23)
      %25: f32[3,4] = matmul(%4, %24) {"transposeA":true,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %26: f32[4] = reduceSum(%24) {"axes":[0],"keepDims":false}
      %27: f32[4,1] = matmul(%13, %18) {"transposeA":true,"transposeB":false,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %28: f32[1] = reduceSum(%18) {"axes":[0],"keepDims":false}
      output "layers.0.weight" = %25
      output "layers.0.bias" = %26
      output "layers.1.weight" = %27
      output "layers.1.bias" = %28"
    `);
  });

  test('names inputs and outputs by their paths in the trees', () => {
    const graph = trace((inputs) => ({ nested: { list: [inputs.x, inputs.layers[1].bias] }, last: inputs.x }), types);
    expect(graph.inputs.map(({ name }) => name)).toEqual([
      'layers.0.weight',
      'layers.0.bias',
      'layers.1.weight',
      'layers.1.bias',
      'x',
      'wanted',
    ]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['nested.list.0', 'nested.list.1', 'last']);
  });

  test('names a single tensor in place of a tree `input` or `output`', () => {
    const graph = trace((x) => multiply(x, x), tensorType([2]));
    expect([...graph.inputs, ...graph.outputs].map(({ name }) => name)).toEqual(['input', 'output']);
  });

  test('refuses results that are not trees of tensors, and says where', () => {
    const returning = (value: unknown) => () => trace(() => value as Tensor, { x: tensorType([2]) });
    expect(returning({ a: { b: 3 } })).toThrow('Expected a tensor or a record of tensors; got 3 at "a.b".');
    expect(returning(undefined)).toThrow('got undefined at "".');
    expect(returning({ f: () => null })).toThrow('got a function at "f".');
    expect(returning({ a: null })).toThrow(ShapeError);
  });

  test('refuses sizes that are not integers >= 0', () => {
    for (const size of [-1, 1.5, NaN, Infinity]) expect(() => placeholder(tensorType([size]))).toThrow(ShapeError);
    expect(placeholder(tensorType([0])).shape).toEqual([0]);
  });
});

describe('constants', () => {
  test('are refused where the dtype cannot hold them', () => {
    const x = placeholder(tensorType([2], 'int32'));
    expect(() => add(x, 0.5)).toThrow('elements of int32 to be integers in [-2147483648, 2147483647]; got 0.5.');
    expect(() => constantTensor([1, 2 ** 53], [2], 'int64')).toThrow(ShapeError);
    expect(() => constantTensor([256], [1], 'uint8')).toThrow(ShapeError);
    expect(() => constantTensor([2], [], 'bool')).toThrow(ShapeError);
    expect(elementsOf('int64', [-3, 4])).toEqual(BigInt64Array.of(-3n, 4n));
    expect(elementsOf('float32', [NaN, 0.1])).toEqual(Float32Array.of(NaN, 0.1));
  });

  test('do not turn booleans into numbers', () => {
    const x = placeholder(tensorType([2], 'bool'));
    expect(() => add(x, 0)).toThrow(/dtype among float32/);
    expect(() => multiply(x, 1)).toThrow(/dtype among float32/);
  });
});
