/** Files as records, and the tensors in them: against what an independent writer put there. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as Type,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { closeGraph } from '../../../src/engine/graph.ts';
import { interpret } from '../../../src/engine/interpreter.ts';
import { frozenParameters, importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { encodeModel, type OnnxGraph } from '../../../src/engine/onnx/model-proto.ts';
import { readModel } from '../../../src/engine/onnx/read-model.ts';
import { parseTensor } from '../../../src/engine/onnx/read-tensor.ts';
import { placeholder } from '../../../src/engine/tensor.ts';
import { tensorType } from '../../../src/engine/trace.ts';
import { ConfigError, DataError, ShapeError } from '../../../src/errors.ts';

type TensorFields = Omit<Parameters<typeof create<typeof TensorProtoSchema>>[1], '$typeName'>;
const parsed = (fields: TensorFields) => parseTensor(toBinary(TensorProtoSchema, create(TensorProtoSchema, fields)));

describe('a tensor of a file', () => {
  const cases: readonly (readonly [string, TensorFields, string, readonly number[]])[] = [
    ['float_data', { dataType: Type.FLOAT, floatData: [1.5, -2] }, 'float32', [1.5, -2]],
    ['double_data', { dataType: Type.DOUBLE, doubleData: [0.1, -1e300] }, 'float64', [0.1, -1e300]],
    ['int64_data', { dataType: Type.INT64, int64Data: [-5n, 2n ** 40n] }, 'int64', [-5, 2 ** 40]],
    ['int32_data', { dataType: Type.INT32, int32Data: [-5, 7] }, 'int32', [-5, 7]],
    ['int8 in int32_data', { dataType: Type.INT8, int32Data: [-5, 127] }, 'int32', [-5, 127]],
    ['uint8 in int32_data', { dataType: Type.UINT8, int32Data: [0, 255] }, 'uint8', [0, 255]],
    ['bool in int32_data', { dataType: Type.BOOL, int32Data: [0, 1] }, 'bool', [0, 1]],
    ['float16 in int32_data', { dataType: Type.FLOAT16, int32Data: [0x3c00, 0xc100] }, 'float32', [1, -2.5]],
    ['bfloat16 in int32_data', { dataType: Type.BFLOAT16, int32Data: [0x3f80, 0xc020] }, 'float32', [1, -2.5]],
    ['uint32 in uint64_data', { dataType: Type.UINT32, uint64Data: [4294967295n, 1n] }, 'int64', [4294967295, 1]],
    ['raw uint16', { dataType: Type.UINT16, rawData: Uint8Array.of(0xff, 0xff, 1, 0) }, 'int32', [65535, 1]],
    ['raw int16', { dataType: Type.INT16, rawData: Uint8Array.of(0xff, 0xff, 1, 0) }, 'int32', [-1, 1]],
    ['raw float16', { dataType: Type.FLOAT16, rawData: Uint8Array.of(1, 0, 0, 0x7c) }, 'float32', [2 ** -24, Infinity]],
  ];

  test.each(cases)('is read from %s', (_label, fields, dtype, values) => {
    const { shape, ...found } = parsed({ ...fields, dims: [2n], name: 't' });
    expect(shape).toEqual([2]);
    expect(found.dtype).toBe(dtype);
    expect(Array.from(found.values as ArrayLike<number | bigint>, Number)).toEqual(values);
  });

  test('keeps the largest int64, which stands for "to the end"', () => {
    for (const fields of [
      { int64Data: [2n ** 63n - 1n] },
      { rawData: new Uint8Array(BigInt64Array.of(2n ** 63n - 1n).buffer) },
    ])
      expect(parsed({ ...fields, dataType: Type.INT64 }).values).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });

  test('is refused if its data are not as many as its shape says, or no numbers', () => {
    expect(() => parsed({ dataType: Type.FLOAT, dims: [3n], floatData: [1, 2] })).toThrow(
      /the 12 bytes of float \[3\]; got 8/,
    );
    expect(() => parsed({ dataType: Type.INT64, dims: [3n] })).toThrow(/have 3 elements; got 0/);
    expect(() => parsed({ dataType: Type.STRING, dims: [1n] })).toThrow(/numeric element type; got string/);
    expect(() => parsed({ dataType: 99 as Type })).toThrow(DataError);
  });
});

describe('a file of an independent writer', () => {
  const bytes = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      producerName: 'other',
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: 'ai.onnx', version: 17n })],
      graph: create(GraphProtoSchema, {
        name: 'g',
        node: [
          create(NodeProtoSchema, {
            ...{ opType: 'Concat', name: 'join', input: ['w', 'w'], output: ['y'], domain: 'ai.onnx' },
            attribute: [create(AttributeProtoSchema, { name: 'axis', type: AttributeProto_AttributeType.INT, i: -1n })],
          }),
        ],
        initializer: [
          create(TensorProtoSchema, { name: 'w', dims: [1n, 2n], dataType: Type.FLOAT, floatData: [3, 4] }),
        ],
        output: [{ name: 'y' }],
      }),
    }),
  );

  test('is read as its record says', () => {
    const { irVersion, producer, opsets, graph } = readModel(bytes);
    expect([irVersion, producer, [...opsets]]).toEqual([8, 'other', [['', 17]]]);
    expect(graph.nodes).toMatchObject([
      { opType: 'Concat', domain: '', name: 'join', inputs: ['w', 'w'], outputs: ['y'] },
    ]);
    expect(graph.nodes[0]!.attributes).toMatchObject([{ name: 'axis', kind: 'int', int: -1n }]);
    expect(graph.initializers).toMatchObject([{ name: 'w', shape: [1, 2], elementType: 1 }]);
  });

  test('is computed', () => {
    const { y } = importOnnx(bytes).apply({}, {});
    expect(interpret(closeGraph([], [['y', y!]]), {}).y).toEqual(Float64Array.of(3, 4, 3, 4));
  });
});

/** y = relu(x w + b) where flag, else x w + b; the branches capture what is around them. */
function branching(flag: boolean): Uint8Array {
  const port = (name: string) => ({ name, dtype: 'float32', shape: [2] }) as const;
  const node = (opType: string, inputs: string[], outputs: string[]) => ({
    opType,
    domain: '',
    name: '',
    inputs,
    outputs,
    attributes: [],
  });
  const body = (opType: string): OnnxGraph => ({
    ...{ name: opType, inputs: [], initializers: [], outputs: [port('inner')] },
    nodes: [node(opType, ['sum'], ['inner'])],
  });
  return encodeModel({
    name: 'g',
    inputs: [port('x')],
    outputs: [port('y')],
    nodes: [
      node('Mul', ['x', 'w'], ['product']),
      node('Add', ['product', 'b'], ['sum']),
      {
        ...node('If', ['flag'], ['y']),
        attributes: [
          { name: 'then_branch', graph: body('Relu') },
          { name: 'else_branch', graph: body('Identity') },
        ],
      },
    ],
    initializers: [
      { name: 'w', dtype: 'float32', shape: [2], data: Float32Array.of(1, -1) },
      { name: 'b', dtype: 'float32', shape: [], data: Float32Array.of(0.5) },
      { name: 'flag', dtype: 'bool', shape: [], data: Uint8Array.of(Number(flag)) },
    ],
  });
}

describe('an imported model', () => {
  const x = placeholder(tensorType([2]));
  const run = (y: Parameters<typeof placeholder>[0] & { call: unknown; output: number }) =>
    interpret(closeGraph([['x', x]], [['y', y as typeof x]]), { x: [3, 4] }).y;

  test('takes the branch that a constant condition names', () => {
    expect(run(importOnnx(branching(true)).apply({}, { x }).y!)).toEqual(Float64Array.of(3.5, 0));
    expect(run(importOnnx(branching(false)).apply({}, { x }).y!)).toEqual(Float64Array.of(3.5, -3.5));
  });

  test('has the float tensors with axes as parameters, and is frozen without them', () => {
    const model = importOnnx(branching(true));
    expect(model.parameters).toEqual({ w: { dtype: 'float32', shape: [2], values: Float32Array.of(1, -1) } });
    const frozen = model.apply(frozenParameters(model.parameters), { x }).y!;
    expect(run(frozen)).toEqual(run(model.apply({}, { x }).y!));
  });

  test('refuses names and types that it does not have', () => {
    const model = importOnnx(branching(true));
    const other = placeholder(tensorType([3]));
    expect(() => model.apply({}, { x: other })).toThrow(ShapeError);
    expect(() => model.apply({}, { x: other })).toThrow(/input `x` to be float32 \[2\]; got f32\[3\]/);
    expect(() => model.apply({ w: other }, { x })).toThrow(/parameter `w` to be f32\[2\]; got f32\[3\]/);
    expect(() => model.apply({ v: x }, { x })).toThrow(/a parameter of the model, such as `w`; got `v`/);
    expect(() => model.apply({}, {})).toThrow(/input `x`; got none/);
    expect(() => model.apply({}, { x }, { outputs: ['z'] })).toThrow(ConfigError);
  });

  test('gives values in between without the inputs that they do not need', () => {
    expect(Object.keys(importOnnx(branching(true)).apply({}, {}, { outputs: ['w'] }))).toEqual(['w']);
  });
});
