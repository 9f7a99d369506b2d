import { fromBinary } from '@bufbuild/protobuf';
import { type GraphProto, type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { closeGraph, type Graph } from '../../src/engine/graph.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import {
  add,
  constant,
  constantTensor,
  exp,
  matmul,
  multiply,
  negate,
  reduceSum,
  rematerialise,
  reshape,
  scatterAdd,
  sigmoid,
  silu,
  topK,
} from '../../src/engine/ops.ts';
import { placeholder } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { FlowError } from '../../src/errors.ts';
import { executeGraph } from './execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

function parsed(graph: Graph, options?: Parameters<typeof emitModel>[1]): { model: ModelProto; graph: GraphProto } {
  const model = fromBinary(ModelProtoSchema, emitModel(graph, options).bytes);
  return { model, graph: model.graph! };
}

const operators = ({ node }: GraphProto) => node.map(({ opType }) => opType);

describe('an emitted model, read by an independent parser', () => {
  const graph = trace(({ x, w }) => ({ y: silu(matmul(x, w, { transposeB: true, alpha: 0.5 })), top: topK(x, 2) }), {
    x: tensorType([2, 3]),
    w: tensorType([4, 3]),
  });

  test('has one node for what lowerings of different calls have in common', () => {
    // Both scatters need the same one-hot matrix; their sums differ.
    const shared = trace(
      ({ x, indices }) => ({ a: scatterAdd(x, indices, { size: 3 }), b: scatterAdd(negate(x), indices, { size: 3 }) }),
      { x: tensorType([4, 2]), indices: tensorType([4], 'int32') },
    );
    const names = operators(parsed(shared).graph);
    expect(names.filter((name) => name === 'Equal')).toHaveLength(1);
    expect(names.filter((name) => name === 'MatMul')).toHaveLength(2);
  });

  test('says the shapes of what is computed again, which cannot be inferred', () => {
    const again = trace(({ x }) => gradient(reduceSum(rematerialise((y) => exp(exp(y)), [x])[0]), x), {
      x: tensorType([2, 3]),
    });
    const { graph: read } = parsed(again);
    const sizes = read.valueInfo.map(({ type }) => {
      const tensor = type!.value.value as { shape: { dim: { value: { value: unknown } }[] } };
      return tensor.shape.dim.map(({ value }) => Number(value.value));
    });
    expect(sizes).toEqual([[2, 3]]);
    const waiting = read.node.find(({ output }) => output[0] === read.valueInfo[0].name)!;
    // Its shape is no constant: it waits for the gradient.
    expect(waiting.opType).toBe('Reshape');
    expect(read.initializer.map(({ name }) => name)).not.toContain(waiting.input[1]);
    expect(emitModel(again).disabledOptimizers).toContain('ReshapeFusion');
  });

  test('has opset 21, the name given, and typed inputs and outputs', () => {
    const { model, graph: read } = parsed(graph, { name: 'little' });
    expect(model.opsetImport.map(({ domain, version }) => `${domain}:${version}`)).toContain(':21');
    expect(read.name).toBe('little');
    const typed = (ports: typeof read.input) =>
      ports.map(({ name, type }) => {
        const tensor = type!.value.value as { elemType: number; shape: { dim: { value: { value: unknown } }[] } };
        return [name, tensor.elemType, ...tensor.shape.dim.map(({ value }) => Number(value.value))];
      });
    expect(typed(read.input)).toEqual([
      ['x', 1, 2, 3],
      ['w', 1, 4, 3],
    ]);
    expect(typed(read.output)).toEqual([
      ['y', 1, 2, 4],
      ['top.values', 1, 2, 2],
      ['top.indices', 7, 2, 2],
    ]);
  });

  test('has the nodes that the primitives lower to, each named after its call', () => {
    const { graph: read } = parsed(graph);
    expect(read.node.map(({ name, domain }) => `${domain}:${name}`)).toEqual([
      'com.microsoft:matmul_0/FusedMatMul_0',
      'com.microsoft:silu_1/QuickGelu_1',
      ':topK_2/TopK_2',
    ]);
    const alpha = read.node[0].attribute.find(({ name }) => name === 'alpha')!;
    expect(alpha.f).toBe(0.5);
    expect(read.node[1].output).toEqual(['y']);
    expect(read.node[2].output).toEqual(['top.values', 'top.indices']);
  });

  test('lowers for the provider', () => {
    const { graph: read } = parsed(graph, { provider: 'webgpu' });
    expect(operators(read)).toEqual(['Transpose', 'MatMul', 'Mul', 'Sigmoid', 'Mul', 'TopK']);
    expect(read.node.every(({ domain }) => domain === '')).toBe(true);
  });

  test('stores equal constants once, and in order of use', () => {
    const long = () => constantTensor(new Array<number>(100).fill(3), [100]);
    const { graph: read } = parsed(
      trace(({ x }) => [add(x, long()), multiply(x, long()), reshape(x, [10, 10]), reshape(exp(x), [10, 10])], {
        x: tensorType([100]),
      }),
    );
    expect(read.initializer.map(({ dims }) => dims.map(Number))).toEqual([[100], [2]]);
  });

  test('inlines bodies, with the path of calls as names', () => {
    const { graph: read } = parsed(trace(({ x }) => rematerialise((y) => negate(exp(y)), [x]), { x: tensorType([2]) }));
    expect(read.node.map(({ name }) => name)).toEqual([
      'rematerialise_0/exp_0/Exp_0',
      'rematerialise_0/negate_1/Neg_1',
    ]);
  });

  test('says which optimisers would harm it', () => {
    const swish = (dtype: 'float32' | 'float64') =>
      emitModel(trace(({ x }) => multiply(x, sigmoid(x)), { x: tensorType([2], dtype) })).disabledOptimizers;
    expect(swish('float32')).toEqual([]);
    expect(swish('float64')).toEqual(['QuickGeluFusion']);
  });
});

describe('every output is a value of its own', () => {
  const x = Float32Array.of(1, -2);
  const type = tensorType([2]);

  test('also where it is an input, a constant, or given twice', async () => {
    const graph = trace(
      (inputs) => {
        const y = exp(inputs.x);
        const c = constant(3);
        return { input: inputs.x, again: inputs.x, c, same: c, y, twice: y, later: negate(y) };
      },
      { x: type, unused: tensorType([3], 'int64') },
    );
    const { graph: read } = parsed(graph);
    expect(new Set(read.node.flatMap(({ output }) => output)).size).toBe(
      read.node.flatMap(({ output }) => output).length,
    );
    const results = await executeGraph(runtime, graph, { x, unused: new BigInt64Array(3) });
    const y = Float32Array.from(x, Math.exp);
    expect(results).toEqual({
      input: x,
      again: x,
      c: Float32Array.of(3),
      same: Float32Array.of(3),
      y,
      twice: y,
      later: y.map((value) => -value),
    });
  });

  test('also where a body hands out its inputs', async () => {
    const graph = trace((inputs) => rematerialise((a, b) => [b, a, a, exp(a)], [inputs.x, exp(inputs.x)]), { x: type });
    const e = Float32Array.from(x, Math.exp);
    expect(Object.values(await executeGraph(runtime, graph, { x }))).toEqual([e, x, x, e]);
  });

  test('also where names look like those of values in between', async () => {
    const inputs = ['v0', 'c0', "v1'", 'v1'].map((name) => [name, placeholder(type)] as const);
    const [a, b, c, d] = inputs.map(([, tensor]) => tensor);
    const sum = add(multiply(add(a, b), 2), multiply(c, d));
    const graph = closeGraph(inputs, [
      ['v2', sum],
      ['c1', negate(sum)],
      ['v3', exp(a)],
    ]);
    const two = (value: number) => Float32Array.of(value, value);
    const results = await executeGraph(runtime, graph, { v0: two(0), c0: two(2), "v1'": two(3), v1: two(4) });
    expect(results).toEqual({ v2: two(16), c1: two(-16), v3: two(1) });
  });

  test('with a name that no input has', () => {
    const clash = trace((inputs) => ({ x: exp(inputs.x) }), { x: type });
    expect(() => emitModel(clash)).toThrow(FlowError);
    expect(() => emitModel(clash)).toThrow('inputs and outputs with names of their own; got `x` twice');
  });
});
