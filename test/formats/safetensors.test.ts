import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../../src/errors.ts';
import {
  readSafetensors,
  type SafetensorsTensor,
  safetensor,
  toFloat32,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { SAFETENSORS_ARRAYS, type SafetensorsDtype } from '../../src/formats/safetensors-header.ts';
import { mutated } from './seeded-mutations.ts';

const DTYPES = Object.keys(SAFETENSORS_ARRAYS) as readonly SafetensorsDtype[]; // the table's own keys

/** A file of the given header text and data, right or wrong. */
function file(header: string, dataBytes: number, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const anyTensor: fc.Arbitrary<SafetensorsTensor> = fc
  .tuple(
    fc.constantFrom(...DTYPES),
    fc.array(fc.nat(4), { maxLength: 4 }),
    fc.uint8Array({ minLength: 2048, maxLength: 2048 }),
  )
  .map(([dtype, shape, random]) => {
    const type = SAFETENSORS_ARRAYS[dtype];
    const count = shape.reduce((product, size) => product * size, 1);
    const bytes = dtype === 'BOOL' ? random.map((byte) => byte & 1) : random.slice();
    const data = new type(bytes.buffer as ArrayBuffer, 0, count); // `slice` and `map` make plain memory
    return { dtype, shape, data } as SafetensorsTensor; // the table has paired dtype and array
  });

const bytesOf = ({ data }: SafetensorsTensor) =>
  Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

const anyName = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((name) => name !== '__metadata__');

describe('safetensors', () => {
  it('gives back what was written: names, dtypes, shapes, bytes, metadata', () => {
    const anyTensors = fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 6 });
    const anyMetadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4, noNullPrototype: true });
    fc.assert(
      fc.property(anyTensors, anyMetadata, (pairs, metadata) => {
        const content = readSafetensors(writeSafetensors(new Map(pairs), metadata));
        expect(content.tensors.size).toBe(pairs.length);
        expect(content.metadata).toEqual(metadata);
        for (const [name, tensor] of pairs) {
          const read = content.tensors.get(name)!;
          expect([read.dtype, read.shape, bytesOf(read)]).toEqual([tensor.dtype, tensor.shape, bytesOf(tensor)]);
        }
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it('gives equal bytes for equal tensors in any order', () => {
    const tensors: [string, SafetensorsTensor][] = [
      ['b', safetensor(Float32Array.of(1, 2), [2, 1])],
      ['a', safetensor(Uint8Array.of(1, 2, 3))],
      ['c', safetensor(Float64Array.of(5))],
    ];
    const bytes = writeSafetensors(new Map(tensors), { format: '1' });
    expect(writeSafetensors(new Map(tensors.reverse()), { format: '1' })).toEqual(bytes);
  });

  it('starts every tensor at a multiple of its element size, and the data at one of 8', () => {
    const bytes = writeSafetensors(
      new Map([
        ['bytes', safetensor(Uint8Array.of(1, 2, 3))],
        ['doubles', safetensor(Float64Array.of(5))],
        ['shorts', safetensor(Int16Array.of(5, 6, 7))],
        ['floats', safetensor(Float32Array.of(5, 6, 7))],
      ]),
    );
    const { tensors } = readSafetensors(bytes);
    for (const { data } of tensors.values()) expect(data.buffer).toBe(bytes.buffer);
    expect([...tensors.keys()]).toEqual(['doubles', 'floats', 'shorts', 'bytes']);
  });

  it('is the documented layout byte by byte', () => {
    const bytes = writeSafetensors(new Map([['w', safetensor(Float32Array.of(1.5), [1, 1])]]), { a: 'b' });
    const header = '{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(bytes).toEqual(Uint8Array.of(padded.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(padded), 0, 0, 0xc0, 0x3f));
  });

  it('reads from memory that is not aligned, also of a Buffer', () => {
    const bytes = writeSafetensors(new Map([['w', safetensor(Float64Array.of(1.5, -2))]]));
    const shifted = Buffer.alloc(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    expect(readSafetensors(shifted).tensors.get('w')!.data).toEqual(Float64Array.of(1.5, -2));
  });

  it('decodes float16 and bfloat16 exactly', () => {
    const half: SafetensorsTensor = {
      dtype: 'F16',
      shape: [8],
      data: Uint16Array.of(0, 0x8000, 0x3c00, 0xc000, 0x7bff, 1, 0x3ff, 0x7c00),
    };
    expect(Array.from(toFloat32(half))).toEqual([
      0,
      -0,
      1,
      -2,
      65504,
      2 ** -24,
      1023 * 2 ** -24,
      Number.POSITIVE_INFINITY,
    ]);
    expect(toFloat32({ ...half, shape: [1], data: Uint16Array.of(0x7e00) })).toEqual(Float32Array.of(Number.NaN));
    const brain: SafetensorsTensor = { dtype: 'BF16', shape: [3], data: Uint16Array.of(0x3f80, 0xc049, 0x0001) };
    expect(Array.from(toFloat32(brain))).toEqual([1, -3.140625, 2 ** -133]);
    expect(() => toFloat32(safetensor(Int32Array.of(1)))).toThrow(
      'Expected a tensor of F64, F32, F16 or BF16; got I32.',
    );
  });

  it('refuses to write an array that does not fit, or a reserved name', () => {
    expect(() => safetensor(Float32Array.of(1, 2), [3])).toThrow(ShapeError);
    const wrong = { dtype: 'F16', shape: [1], data: Float32Array.of(1) } as unknown as SafetensorsTensor; // wrong on purpose
    expect(() => writeSafetensors(new Map([['w', wrong]]))).toThrow(
      'Expected `w` of F16 to be Uint16Array [1]; got Float32Array [1].',
    );
    expect(() => writeSafetensors(new Map([['__metadata__', safetensor(Uint8Array.of(1))]]))).toThrow(DataError);
  });
});

describe('safetensors refuses', () => {
  const entry = (fields: string) => `{"a":{${fields}}}`;
  const f32 = (begin: number, end: number, shape = '[1]') =>
    `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;
  it.each([
    { what: 'an empty file', bytes: new Uint8Array(0), message: 'at least 8 bytes' },
    { what: 'a truncated prefix', bytes: new Uint8Array(7), message: 'at least 8 bytes' },
    { what: 'a header beyond the end', bytes: file('{}', 0, 3n), message: 'a header length from 2 to 2 bytes; got 3' },
    { what: 'an absurd header length', bytes: file('{}', 0, 2n ** 64n - 1n), message: 'a header length' },
    { what: 'a header that is no JSON', bytes: file('{"a"', 0), message: 'JSON in UTF-8' },
    { what: 'a header that is no UTF-8', bytes: file('{"a":1}', 0).fill(0xff, 9, 11), message: 'JSON in UTF-8' },
    { what: 'a header that is no object', bytes: file('[1]', 0), message: 'JSON object' },
    { what: 'space before the header', bytes: file(' {}', 0), message: 'JSON object' },
    {
      what: 'an unknown dtype',
      bytes: file(entry('"dtype":"F7","shape":[],"data_offsets":[0,1]'), 1),
      message: 'dtype of F64',
    },
    {
      what: 'a dtype named like a member of objects',
      bytes: file(entry('"dtype":"toString","shape":[],"data_offsets":[0,1]'), 1),
      message: 'dtype of F64',
    },
    { what: 'a missing field', bytes: file(entry('"dtype":"F32","shape":[1]'), 4), message: 'exactly dtype, shape' },
    { what: 'a negative dimension', bytes: file(`{"a":${f32(0, 4, '[-1]')}}`, 4), message: 'non-negative' },
    { what: 'a fractional dimension', bytes: file(`{"a":${f32(0, 4, '[1.5]')}}`, 4), message: 'non-negative' },
    { what: 'a shape that overflows', bytes: file(`{"a":${f32(0, 4, '[1e15,1e15,0]')}}`, 4), message: 'NaN bytes' },
    {
      what: 'a size that differs from the shape',
      bytes: file(`{"a":${f32(0, 4, '[2]')}}`, 4),
      message: 'to take 8 bytes',
    },
    { what: 'offsets in the wrong order', bytes: file(`{"a":${f32(4, 0)}}`, 4), message: 'to take 4 bytes' },
    { what: 'overlapping tensors', bytes: file(`{"a":${f32(0, 4)},"b":${f32(2, 6)}}`, 6), message: 'begin at byte 4' },
    {
      what: 'two tensors of the same bytes',
      bytes: file(`{"a":${f32(0, 4)},"b":${f32(0, 4)}}`, 4),
      message: 'begin at byte 4',
    },
    { what: 'a gap', bytes: file(`{"a":${f32(0, 4)},"b":${f32(8, 12)}}`, 12), message: 'begin at byte 4; got 8' },
    {
      what: 'a tensor beyond the end',
      bytes: file(`{"a":${f32(0, 4)}}`, 3),
      message: '4 bytes after the header; got 3',
    },
    {
      what: 'bytes after the last tensor',
      bytes: file(`{"a":${f32(0, 4)}}`, 5),
      message: '4 bytes after the header; got 5',
    },
    { what: 'a repeated name', bytes: file(`{"a":${f32(0, 4)},"a":${f32(0, 4)}}`, 4), message: 'occur once' },
    {
      what: 'a repeated field',
      bytes: file(entry('"dtype":"I8","dtype":"F32","shape":[1],"data_offsets":[0,4]'), 4),
      message: 'occur once',
    },
    {
      what: 'metadata that are no strings',
      bytes: file('{"__metadata__":{"a":1}}', 0),
      message: 'map names to strings',
    },
    {
      what: 'a BOOL byte of 2',
      bytes: file(entry('"dtype":"BOOL","shape":[1],"data_offsets":[0,1]'), 1).fill(2, -1),
      message: 'BOOL',
    },
  ])('$what', ({ bytes, message }) => {
    expect(() => readSafetensors(bytes)).toThrow(DataError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  it('deeply nested headers, without a crash', () => {
    expect(() => readSafetensors(file('{"a":'.repeat(200_000), 0))).toThrow(DataError);
    expect(() => readSafetensors(file(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 0))).toThrow(DataError);
  });

  it('nothing that it reads: a damaged file is a DataError or a valid result', () => {
    const original = writeSafetensors(
      new Map<string, SafetensorsTensor>([
        [
          'block.weight',
          safetensor(
            Float32Array.from({ length: 12 }, (_, i) => i),
            [3, 4],
          ),
        ],
        ['step', safetensor(BigInt64Array.of(7n), [])],
        ['mask', { dtype: 'BOOL', shape: [5], data: Uint8Array.of(0, 1, 1, 0, 1) }],
        ['empty', safetensor(new Float64Array(0), [0, 3])],
      ]),
      { format: '1', note: 'a "quoted": \\ text' },
    );
    let refused = 0;
    for (let seed = 0; seed < 20_000; seed++) {
      const bytes = mutated(original, seed);
      try {
        const { tensors } = readSafetensors(bytes);
        const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(total, `seed ${seed}`).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        if (!(error instanceof DataError)) throw new Error(`seed ${seed}`, { cause: error });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10_000);
  });
});
