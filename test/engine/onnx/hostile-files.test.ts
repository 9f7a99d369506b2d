/** Damaged and hostile ONNX files: an error that says what and where, no crash, no hang, no read outside of the folder. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { encodeModel, type OnnxNode } from '../../../src/engine/onnx/model-proto.ts';
import {
  bytesField,
  encodeMessage,
  messageField,
  stringField,
  varintField,
} from '../../../src/engine/onnx/protobuf.ts';
import { readModel } from '../../../src/engine/onnx/read-model.ts';
import { placeholder } from '../../../src/engine/tensor.ts';
import { ConfigError, DataError, ShapeError } from '../../../src/errors.ts';
import { mutated } from '../../formats/seeded-mutations.ts';

const golden = (name: string) =>
  Uint8Array.from(readFileSync(fileURLToPath(new URL(`../../golden/onnx/${name}`, import.meta.url))));

/** Imports and traces a file, with inputs as it declares them. */
function importAndTrace(bytes: Uint8Array): 'traced' | 'imported' {
  const model = importOnnx(bytes);
  const inputs = model.inputs.flatMap(({ name, dtype, shape }) => {
    if (dtype === null || shape === null) return [];
    const sizes = shape.map((size) => (typeof size === 'number' ? size : 2));
    return [[name, placeholder({ dtype, shape: sizes })] as const];
  });
  if (inputs.length < model.inputs.length) return 'imported';
  model.apply({}, Object.fromEntries(inputs));
  return 'traced';
}

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}

describe('1,000 files with random damage', () => {
  const files = ['resnet.onnx', 'transformer.onnx', 'decoder.onnx', 'inception.onnx'].map(golden);

  test('are refused with an error of ours or can be traced, in bounded time and memory', () => {
    const outcomes = { refused: 0, traced: 0, imported: 0 };
    let slowest = 0;
    const before = process.memoryUsage().rss;
    for (let seed = 0; seed < 1000; seed++) {
      const started = performance.now();
      try {
        outcomes[importAndTrace(mutated(files[seed % files.length], seed))] += 1;
      } catch (error) {
        const ours = error instanceof DataError || error instanceof ShapeError || error instanceof ConfigError;
        if (!ours) throw new Error(`seed ${seed}`, { cause: error });
        expect(error.message, `seed ${seed}`).toMatch(/^Expected .*; got /s);
        expect(error.message.length, `seed ${seed}`).toBeLessThan(2000);
        outcomes.refused += 1;
      }
      slowest = Math.max(slowest, performance.now() - started);
    }
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    if (process.env.SHOW_FIGURES)
      console.log(outcomes, `slowest ${slowest.toFixed(0)} ms, ${grown.toFixed(0)} MiB more`);
    expect(outcomes.refused).toBeGreaterThan(300);
    expect(slowest).toBeLessThan(5000);
    expect(grown).toBeLessThan(1024);
  }, 120_000);

  test('end early at any byte with an error', () => {
    const whole = golden('inception.onnx');
    for (let length = 0; length < whole.length; length += 7)
      expect(() => importAndTrace(whole.subarray(0, length)), `${length} bytes`).toThrow(DataError);
  });
});

const value = (name: string, shape: number[] = [2]) => ({ name, dtype: 'float32', shape }) as const;
const node = (opType: string, inputs: string[], outputs: string[], more: Partial<OnnxNode> = {}): OnnxNode => ({
  ...{ opType, inputs, outputs, domain: '', name: '', attributes: [] },
  ...more,
});
/** A model of nodes from x to y. */
const model = (nodes: OnnxNode[], more: object = {}) =>
  encodeModel({ name: 'g', nodes, inputs: [value('x')], outputs: [value('y')], initializers: [], ...more });
const ints = (name: string, values: bigint[]) => ({
  name,
  dtype: 'int64' as const,
  shape: [values.length],
  data: BigInt64Array.from(values),
});

describe('a graph', () => {
  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      'with a cycle',
      model([
        node('Add', ['x', 'b'], ['a'], { name: 'first' }),
        node('Relu', ['a'], ['b']),
        node('Relu', ['b'], ['y']),
      ]),
      /without cycles; got one through node `first` \(Add\)/,
    ],
    [
      'that reads what is not there',
      model([node('Relu', ['z'], ['y'])]),
      /value `z`, which node of output `y` \(Relu\)/,
    ],
    ['whose output is not there', model([node('Relu', ['x'], ['z'])]), /value `y`, which the graph as an output/],
    [
      'that defines a value twice',
      model([node('Relu', ['x'], ['y']), node('Abs', ['x'], ['y'])]),
      /once; got `y` twice/,
    ],
    [
      'with two inputs of one name',
      model([node('Relu', ['x'], ['y'])], { inputs: [value('x'), value('x')] }),
      /names of their own; got `x`/,
    ],
    [
      'with an operator that is not known',
      model([node('Frobnicate', ['x'], ['y'], { name: 'odd' })]),
      /got node `odd` \(Frobnicate\) of domain ai\.onnx, opset 21/,
    ],
    [
      'with an operator named like a property of objects',
      model([node('constructor', ['x'], ['y'])]),
      /got node of output `y` \(constructor\)/,
    ],
    [
      'with a domain that is not known',
      model([node('Relu', ['x'], ['y'], { domain: 'com.example' })]),
      /\(Relu\) of domain com\.example, opset 1/,
    ],
    ['with a loop', model([node('Loop', ['x'], ['y'])]), /\(Loop\) of domain/],
    [
      'with an attribute that is not known',
      model([node('Relu', ['x'], ['y'], { attributes: [{ name: 'limit', int: 3 }] })]),
      /attributes that are known; got `limit`/,
    ],
    [
      'with an attribute of another kind',
      model([node('Concat', ['x'], ['y'], { attributes: [{ name: 'axis', string: '0' }] })]),
      /attribute `axis` to be of kind int; got string/,
    ],
    ['with too few operands', model([node('Add', ['x'], ['y'])]), /2 to 2 operands; got 1/],
    ['with more outputs than there are', model([node('Relu', ['x'], ['y', 'z'])]), /fewer than 2 outputs; got `z`/],
    [
      'with operands that do not fit',
      model([node('MatMul', ['x', 'w'], ['y'])], {
        initializers: [{ name: 'w', dtype: 'float32', shape: [3, 1], data: new Float32Array(3) }],
      }),
      /\(MatMul\) to have operands that fit, not f32\[2\], f32\[3,1\]/,
    ],
    [
      'that makes more elements than any machine holds',
      model([node('Expand', ['x', 's'], ['y'])], { initializers: [ints('s', [2n ** 30n, 2n ** 30n, 2n])] }),
      /at most 1099511627776 elements/,
    ],
    [
      'that makes a long list',
      model([node('Range', ['a', 'b', 'c'], ['y'])], {
        initializers: ['a', 'b', 'c'].map((name, i) => ({ ...ints(name, [[0n, 2n ** 40n, 1n][i]!]), shape: [] })),
      }),
      /a count in \[0, 16777216\]; got 1099511627776/,
    ],
    [
      'whose shape depends on an input',
      encodeModel({
        name: 'g',
        nodes: [node('Reshape', ['x', 's'], ['y'])],
        inputs: [value('x'), { name: 's', dtype: 'int64', shape: [1] }],
        outputs: [value('y')],
        initializers: [],
      }),
      /operand 1 to be known while tracing; got i64\[1\] that depends on inputs/,
    ],
  ];

  test.each(refused)('%s is refused', (_what, bytes, message) => {
    expect(messageOf(() => importAndTrace(bytes))).toMatch(message);
  });

  test('of another operator set is refused', () => {
    const graph = {
      name: 'g',
      nodes: [node('Relu', ['x'], ['y'])],
      inputs: [value('x')],
      outputs: [],
      initializers: [],
    };
    expect(messageOf(() => importOnnx(encodeModel(graph, { opset: 99 })))).toMatch(/version 1 to 21; got 99/);
  });

  test('nested too deeply is refused before the stack is', () => {
    let graph = encodeMessage([stringField(2, 'inner')]);
    for (let depth = 0; depth < 5000; depth++) {
      const attribute = [stringField(1, 'body'), bytesField(6, graph), varintField(20, 5)];
      graph = encodeMessage([messageField(1, [messageField(5, attribute)])]);
    }
    expect(messageOf(() => readModel(encodeMessage([bytesField(7, graph)])))).toMatch(/nested at most 16 deep/);
  });

  test('with a chain of 20,000 nodes does not exhaust the stack', () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node('Relu', [i === 0 ? 'x' : `v${i}`], [`v${i + 1}`]));
    nodes.push(node('Relu', ['v20000'], ['y']));
    expect(importAndTrace(model(nodes.reverse()))).toBe('traced');
  });

  test('that folds without end stays within its budget', () => {
    const square = { name: 'v0', dtype: 'float32', shape: [180, 180], data: new Float32Array(180 * 180) } as const;
    const nodes = Array.from({ length: 2000 }, (_, i) => node('MatMul', [`v${i}`, `v${i}`], [`v${i + 1}`]));
    const started = performance.now();
    expect(importAndTrace(model([...nodes, node('Relu', ['v2000'], ['y'])], { initializers: [square] }))).toBe(
      'traced',
    );
    expect(performance.now() - started).toBeLessThan(20_000);
  }, 30_000);
});

describe('the bytes of a file', () => {
  const wire = (...bytes: number[]) => Uint8Array.from(bytes);
  const graphWith = (...fields: Parameters<typeof encodeMessage>[0]) => encodeMessage([messageField(7, fields)]);
  const tensor = (...fields: Parameters<typeof encodeMessage>[0]) => graphWith(messageField(5, fields));
  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['none', wire(), /a graph in the file; got none/],
    ['a varint longer than 64 bits', wire(8, ...new Array(10).fill(0xff), 1), /varint of at most 64 bits/],
    ['a varint without end', wire(8, 0xff, 0xff), /whole varint/],
    ['field number 0', wire(2, 0), /a number and a wire type/],
    ['a group', wire(0x3b, 0x3c), /a number and a wire type/],
    [
      'a length beyond the end',
      wire(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f),
      /a field of at most 0 bytes in the file; got 4294967295/,
    ],
    ['a name that is not UTF-8', graphWith(bytesField(2, wire(0xff, 0xfe))), /text in UTF-8/],
    [
      'a name without end',
      graphWith(bytesField(2, new Uint8Array(1e6))),
      /at most 65536 bytes in the file graph; got 1000000/,
    ],
    ['a number where a message belongs', encodeMessage([varintField(7, 1)]), /wire type bytes in the file; got varint/],
    ['a negative size', tensor(varintField(1, -1)), /graph\.initializer\[0\]; got \[-1\]/],
    ['sizes that overflow', tensor(varintField(1, 2n ** 32n), varintField(1, 2n ** 32n)), /product is below 2\^53/],
    ['a size hidden by a zero', tensor(varintField(1, 0), varintField(1, 2n ** 62n)), /product is below 2\^53/],
    ['a tensor in segments', tensor(messageField(3, [])), /a whole tensor/],
  ];

  test.each(refused)('with %s are refused', (_what, bytes, message) => {
    expect(messageOf(() => importOnnx(bytes))).toMatch(message);
  });

  test('that claim a huge tensor take no memory for it', () => {
    const w = [varintField(1, 2n ** 40n), varintField(2, 1), stringField(8, 'w'), bytesField(9, new Uint8Array(8))];
    const bytes = encodeMessage([
      messageField(7, [
        messageField(1, [stringField(1, 'w'), stringField(2, 'y'), stringField(4, 'Relu')]),
        messageField(5, w),
        messageField(12, [stringField(1, 'y')]),
      ]),
      messageField(8, [varintField(2, 17)]),
    ]);
    expect(messageOf(() => importOnnx(bytes))).toMatch(/the 4398046511104 bytes of float .*; got 8/);
  });

  test('that are many tiny messages are refused before they fill the memory', () => {
    const bytes = new Uint8Array(10_000_004);
    bytes.fill(0x0a);
    for (let i = 5; i < bytes.length; i += 2) bytes[i] = 0;
    const length = bytes.length - 6;
    bytes.set([0x3a, ...[0, 7, 14, 21].map((shift) => ((length >> shift) & 127) | (shift < 21 ? 128 : 0))], 0);
    expect(() => readModel(bytes)).toThrow(DataError);
  });
});

describe('external data', () => {
  const root = mkdtempSync(join(tmpdir(), 'flowloom-external-'));
  const folder = join(root, 'model');
  mkdirSync(join(folder, 'inner'), { recursive: true });
  afterAll(() => rmSync(root, { recursive: true }));
  const data = new Uint8Array(Float32Array.of(9, 1, 2, 3).buffer);
  writeFileSync(join(root, 'secret.bin'), data);
  writeFileSync(join(folder, 'weights.bin'), data);
  writeFileSync(join(folder, 'inner', 'weights.bin'), data);
  symlinkSync(join(root, 'secret.bin'), join(folder, 'link.bin'));
  symlinkSync(root, join(folder, 'up'));

  /** A file whose initialiser w [3] lies elsewhere, from byte 4 on. */
  function fileWith(location: string, more: Readonly<Record<string, string>> = {}): string {
    const entries = Object.entries({ location, offset: '4', ...more });
    const external = entries.map(([key, text]) => messageField(13, [stringField(1, key), stringField(2, text)]));
    const tensor = [varintField(1, 3), varintField(2, 1), stringField(8, 'w'), ...external, varintField(14, 1)];
    const path = join(folder, 'model.onnx');
    const relu = [stringField(1, 'w'), stringField(2, 'y'), stringField(4, 'Relu')];
    const graph = [messageField(1, relu), messageField(5, tensor), messageField(12, [stringField(1, 'y')])];
    writeFileSync(path, encodeMessage([messageField(7, graph), messageField(8, [varintField(2, 17)])]));
    return path;
  }

  test.each(['weights.bin', './weights.bin', 'inner/weights.bin'])('are read beside the model: %s', (location) => {
    expect(importOnnx(fileWith(location, { length: '12' })).parameters.w).toEqual({
      ...{ dtype: 'float32', shape: [3] },
      values: Float32Array.of(1, 2, 3),
    });
  });

  test.each([
    ['../secret.bin', /lie in the folder of the model; got a path/],
    ['inner/../../secret.bin', /lie in the folder of the model; got a path/],
    [join(root, 'secret.bin'), /lie in the folder of the model; got a path/],
    ['..\\secret.bin', /lie in the folder of the model; got a path/],
    ['C:secret.bin', /lie in the folder of the model; got a path/],
    ['weights.bin\0.txt', /lie in the folder of the model; got a path/],
    ['', /lie in the folder of the model; got a path/],
    ['link.bin', /lie in the folder of the model; got a link that leaves it/],
    ['up/secret.bin', /lie in the folder of the model; got a link that leaves it/],
    ['inner', /to be a file/],
    ['missing.bin', /to exist beside the model/],
  ])('are refused from %j', (location, message) => {
    expect(messageOf(() => importOnnx(fileWith(location)))).toMatch(message);
  });

  test.each([
    [{ offset: '5' }, /hold 12 bytes from byte 5; got 16 bytes/],
    [{ offset: '9007199254740993' }, /a whole number of bytes/],
    [{ offset: '-4' }, /a whole number of bytes/],
    [{ length: '8' }, /of 12 bytes for its tensor; got 8/],
  ])('are refused at %j', (more, message) => {
    expect(messageOf(() => importOnnx(fileWith('weights.bin', more)))).toMatch(message);
  });

  test('are refused where the model has no folder', () => {
    const bytes = readFileSync(fileWith('weights.bin'));
    expect(messageOf(() => importOnnx(bytes))).toMatch(/holds its own data; got external data/);
  });

  test('belong to a file that exists', () => {
    expect(messageOf(() => importOnnx(join(root, 'nothing.onnx')))).toMatch(/nothing\.onnx` to be readable/);
    expect(messageOf(() => importOnnx(folder))).toMatch(/to be a file below 2 GiB; got something else/);
  });
});
