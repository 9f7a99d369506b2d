import { fromBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { AttributeProto_AttributeType, type GraphProto, ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { dtypeFacts, hostArray, hostDTypes } from '../../../src/engine/dtype.ts';
import { encodeModel, type OnnxAttribute, type OnnxGraph, toOnnxModel } from '../../../src/engine/onnx/model-proto.ts';
import { ShapeError } from '../../../src/errors.ts';

const empty: OnnxGraph = { name: 'g', nodes: [], inputs: [], outputs: [], initializers: [] };

/** The graph as the independent parser `onnx-buf` reads it back. */
function parsed(graph: OnnxGraph): GraphProto {
  return fromBinary(ModelProtoSchema, encodeModel(graph)).graph!;
}

function parsedAttribute(attribute: OnnxAttribute) {
  const node = { opType: 'X', domain: '', name: 'n', inputs: [], outputs: [], attributes: [attribute] };
  return parsed({ ...empty, nodes: [node] }).node[0]!.attribute[0]!;
}

describe('encodeModel, read by an independent parser', () => {
  test('states its format, its operator sets and its producer', () => {
    const model = fromBinary(ModelProtoSchema, encodeModel(empty));
    expect(model.irVersion).toBe(10n);
    expect(model.producerName).toBe('flowloom');
    expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ['', 21n],
      ['com.microsoft', 1n],
    ]);
    const newer = fromBinary(ModelProtoSchema, encodeModel(empty, { opset: 26, irVersion: 13 }));
    expect([newer.irVersion, newer.opsetImport[0]!.version]).toEqual([13n, 26n]);
  });

  test('keeps nodes in order with their names, domains, inputs and outputs', () => {
    const nodes = [
      { opType: 'Clip', domain: '', name: 'first', inputs: ['x', '', 'hi'], outputs: ['y'], attributes: [] },
      { opType: 'QuickGelu', domain: 'com.microsoft', name: 'π', inputs: ['y'], outputs: ['z'], attributes: [] },
    ];
    const read = parsed({ ...empty, nodes }).node;
    expect(read.map(({ opType, domain, name, input, output }) => ({ opType, domain, name, input, output }))).toEqual(
      nodes.map(({ opType, domain, name, inputs, outputs }) => ({
        opType,
        domain,
        name,
        input: inputs,
        output: outputs,
      })),
    );
  });

  test('keeps names, dtypes and shapes of inputs and outputs, scalars included', () => {
    const inputs = [
      { name: 'image', dtype: 'float32', shape: [2, 3, 300] },
      { name: 'label', dtype: 'int64', shape: [] },
    ] as const;
    const outputs = [{ name: 'mask', dtype: 'bool', shape: [0] }] as const;
    const graph = parsed({ ...empty, inputs, outputs });
    const specs = [...graph.input, ...graph.output].map(({ name, type }) => {
      if (type?.value.case !== 'tensorType') throw new Error('not a tensor');
      const { elemType, shape } = type.value.value;
      return [name, elemType, shape!.dim.map((dim) => dim.value.value)];
    });
    expect(specs).toEqual([
      ['image', TensorProto_DataType.FLOAT, [2n, 3n, 300n]],
      ['label', TensorProto_DataType.INT64, []],
      ['mask', TensorProto_DataType.BOOL, [0n]],
    ]);
    expect(toOnnxModel({ ...empty, inputs, outputs })).toMatchObject({ inputs, outputs });
  });

  test('leaves out the shape of a value whose rank is open', () => {
    const open = { name: 'any', dtype: 'float32', shape: null } as const;
    const { graph } = fromBinary(ModelProtoSchema, encodeModel({ ...empty, inputs: [open], outputs: [] }));
    const type = graph!.input[0]!.type!.value;
    expect(type.case === 'tensorType' && type.value.shape === undefined).toBe(true);
  });

  test.each(hostDTypes)('writes %s constants as their little-endian bytes', (dtype) => {
    const memory = new Uint8Array(64).map((_, index) => index + 1).buffer;
    // An offset into a larger buffer: only the array's own part belongs to the constant.
    const { bytes, onnxCode } = dtypeFacts[dtype];
    const data = hostArray(dtype, 8, memory).subarray(1, 7);
    const tensor = parsed({ ...empty, initializers: [{ name: 'c', dtype, shape: [2, 3], data }] }).initializer[0]!;
    expect(tensor).toMatchObject({ name: 'c', dataType: onnxCode, dims: [2n, 3n] });
    expect(tensor.rawData).toEqual(new Uint8Array(memory, bytes, 6 * bytes));
  });

  test('keeps any int64 attribute', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(parsedAttribute({ name: 'a', int: value })).toMatchObject({
          type: AttributeProto_AttributeType.INT,
          i: value,
        });
        expect(parsedAttribute({ name: 'a', ints: [value, 7] }).ints).toEqual([value, 7n]);
      }),
      { seed: 1 },
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(parsedAttribute({ name: 'a', int: value }).i).toBe(BigInt(value));
      }),
      { seed: 2 },
    );
  });

  test('keeps any float attribute', () => {
    fc.assert(
      fc.property(fc.float(), fc.float(), (first, second) => {
        expect(parsedAttribute({ name: 'a', float: first })).toMatchObject({
          type: AttributeProto_AttributeType.FLOAT,
          f: first,
        });
        expect(parsedAttribute({ name: 'a', floats: [first, second] })).toMatchObject({
          type: AttributeProto_AttributeType.FLOATS,
          floats: [first, second],
        });
      }),
      { seed: 3 },
    );
  });

  test('keeps string, tensor and graph attributes', () => {
    const text = (value: Uint8Array) => new TextDecoder().decode(value);
    const single = parsedAttribute({ name: 'a', string: 'tanh ≈' });
    expect([single.type, text(single.s)]).toEqual([AttributeProto_AttributeType.STRING, 'tanh ≈']);
    const several = parsedAttribute({ name: 'a', strings: ['x', ''] });
    expect([several.type, several.strings.map(text)]).toEqual([AttributeProto_AttributeType.STRINGS, ['x', '']]);
    const tensor = parsedAttribute({ name: 'a', tensor: { dtype: 'uint8', shape: [1], data: Uint8Array.of(9) } });
    expect(tensor).toMatchObject({ type: AttributeProto_AttributeType.TENSOR, t: { rawData: Uint8Array.of(9) } });
    const body = parsedAttribute({ name: 'body', graph: { ...empty, name: 'inner' } });
    expect(body).toMatchObject({ type: AttributeProto_AttributeType.GRAPH, g: { name: 'inner' } });
  });

  test('refuses a constant whose data do not fill its shape or are of another dtype', () => {
    const constant = (data: Float32Array | Int32Array) => () =>
      encodeModel({ ...empty, initializers: [{ name: 'c', dtype: 'float32', shape: [2], data }] });
    expect(constant(new Float32Array(3))).toThrow(ShapeError);
    expect(constant(new Int32Array(2))).toThrow(
      'Expected constant `c` to be float32 [2]; got Int32Array of length 2. In engine/onnx/encodeModel.',
    );
  });
});
