import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../../src/errors.ts';
import { NPY_ARRAYS, type NpyArray, type NpyDtype, readNpy, writeNpy } from '../../src/formats/npy.ts';
import { readNpz, writeNpz } from '../../src/formats/npz.ts';
import { crc32, readZipDirectory } from '../../src/formats/zip.ts';
import { mutated } from './seeded-mutations.ts';

const DTYPES = Object.keys(NPY_ARRAYS) as readonly NpyDtype[]; // the table's own keys

/** A .npy file of the given header text and data, right or wrong. */
function npy(header: string, data: readonly number[], version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.of(0x93, ...new TextEncoder().encode('NUMPY'), version, 0, ...length, ...text, ...data);
}

const anyArray: fc.Arbitrary<NpyArray> = fc
  .tuple(
    fc.constantFrom(...DTYPES),
    fc.array(fc.nat(4), { maxLength: 4 }),
    fc.uint8Array({ minLength: 2048, maxLength: 2048 }),
  )
  .map(([dtype, shape, random]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const data = new NPY_ARRAYS[dtype](random.slice().buffer as ArrayBuffer, 0, count); // `slice` makes plain memory
    return { dtype, shape, data } as NpyArray; // the table has paired dtype and array
  });

const bytesOf = ({ data }: NpyArray) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

describe('.npy', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(anyArray, (array) => {
        const read = readNpy(writeNpy(array));
        expect([read.dtype, read.shape, bytesOf(read)]).toEqual([array.dtype, array.shape, bytesOf(array)]);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('is the documented layout byte by byte', () => {
    // Values begin at a multiple of 64 bytes, after a header padded with spaces and ended by a line feed.
    const header = "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2), }".padEnd(117);
    const expected = npy(`${header}\n`, [1, 0, 2, 0]);
    expect(writeNpy({ dtype: 'int16', shape: [1, 2], data: Int16Array.of(1, 2) })).toEqual(expected);
  });

  it('reads Fortran order, big-endian values and any order of the header', () => {
    const fortran = npy("{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}", [1, 4, 2, 5, 3, 6]);
    expect(readNpy(fortran)).toEqual({ dtype: 'uint8', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    const big = npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", [0, 0, 1, 2, 255, 255, 255, 254], 2);
    expect(readNpy(big).data).toEqual(Int32Array.of(258, -2));
    const scalar = npy("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", [0, 0, 0x80, 0x3f], 3);
    expect(readNpy(scalar)).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(1) });
  });

  it('reads Fortran order as the transpose of the reversed shape, in any rank', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), (shape) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const text = `{'descr': '<u2', 'fortran_order': True, 'shape': (${shape.map((size) => `${size},`).join('')})}`;
        const stored = Array.from({ length: count }, (_, i) => [i & 255, i >> 8]).flat();
        const { data } = readNpy(npy(text, stored));
        for (let to = 0; to < count; to++) {
          let [rest, from] = [to, 0];
          const index = shape.toReversed().map((size) => {
            const i = rest % size;
            rest = (rest - i) / size;
            return i;
          });
          for (const [axis, i] of index.entries()) from = from * shape[shape.length - 1 - axis]! + i;
          expect(data[to]).toBe(from);
        }
      }),
      { seed: 4, numRuns: 100 },
    );
  });

  const plain = (shape: string) => `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}}`;
  it.each([
    { what: 'other bytes', bytes: new Uint8Array(20), message: 'a .npy file' },
    { what: 'version 4', bytes: npy(plain('(0,)'), [], 4), message: 'version 1, 2 or 3' },
    { what: 'a header beyond the end', bytes: npy(plain('(0,)'), []).subarray(0, 40), message: 'a header of at most' },
    { what: 'too few bytes', bytes: npy(plain('(2,)'), [0, 0, 0, 0]), message: '8 bytes of float32 [2]; got 4 bytes' },
    { what: 'too many bytes', bytes: npy(plain('(1,)'), [0, 0, 0, 0, 0]), message: 'got 5 bytes' },
    { what: 'a shape beyond memory', bytes: npy(plain('(99999999999999999999,)'), []), message: 'a shape of at most' },
    { what: 'a shape that is no tuple', bytes: npy(plain('(3)'), []), message: 'a shape of at most' },
    { what: 'digits apart', bytes: npy(plain('(1 2,)'), []), message: 'a shape of at most' },
    { what: 'Python objects', bytes: npy(plain('(0,)').replace('<f4', '|O'), []), message: 'a dtype of float64' },
    { what: 'complex numbers', bytes: npy(plain('(0,)').replace('<f4', '<c8'), []), message: 'a dtype of float64' },
    { what: 'records', bytes: npy(plain('(0,)').replace("'<f4'", "[('a', '<f4')]"), []), message: 'a plain type' },
    { what: 'a missing member', bytes: npy("{'descr': '<f4'}", []), message: 'descr, fortran_order and shape' },
    { what: 'endless spaces', bytes: npy(plain(`(1${' '.repeat(60_000)}x,)`), []), message: 'once each' },
    {
      what: 'endless spaces in a tuple',
      bytes: npy(plain(`(1${' '.repeat(60_000)}LL,)`), []),
      message: 'a shape of at',
    },
  ])('refuses $what', ({ bytes, message }) => {
    expect(() => readNpy(bytes)).toThrow(DataError);
    expect(() => readNpy(bytes)).toThrow(message);
  });

  it('refuses to write an array that does not fit its shape', () => {
    expect(() => writeNpy({ dtype: 'float32', shape: [3], data: Float32Array.of(1) })).toThrow(ShapeError);
  });
});

describe('.npz', () => {
  const arrays = new Map<string, NpyArray>([
    ['images', { dtype: 'uint8', shape: [2, 300], data: new Uint8Array(600).fill(7) }],
    ['labels', { dtype: 'int64', shape: [2], data: BigInt64Array.of(1n, -5n) }],
  ]);

  it.each([0, 6] as const)('gives back what was written at level %i', (level) => {
    expect(readNpz(writeNpz(arrays, { level }))).toEqual(arrays);
    expect(writeNpz(arrays, { level })).toEqual(writeNpz(arrays, { level }));
  });

  it('reads only the arrays asked for and names a missing one', () => {
    const bytes = writeNpz(arrays);
    expect([...readNpz(bytes, { names: ['labels'] }).keys()]).toEqual(['labels']);
    expect(() => readNpz(bytes, { names: ['mu'] })).toThrow('an array "mu" in the archive; got arrays images, labels');
  });

  it('checks checksums', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    const bytes = writeNpz(arrays);
    bytes[readZipDirectory(bytes)[0]!.offset + 300]! ^= 1;
    expect(() => readNpz(bytes)).toThrow('with its checksum');
  });

  it('refuses archives that unpack beyond the limit, before unpacking them', () => {
    const bomb = zipSync({ 'zeros.npy': new Uint8Array(2 ** 24) }, { level: 9 });
    expect(bomb.length).toBeLessThan(2 ** 15);
    expect(() => readNpz(bomb, { mostBytes: 2 ** 20 })).toThrow('arrays of at most 1048576 bytes; got 16777216 bytes');
  });

  it('refuses a claimed size that deflate cannot reach, before taking memory for it', () => {
    const bytes = writeNpz(arrays, { level: 9 });
    const directory = bytes.findLastIndex(
      (_, i) => new DataView(bytes.buffer).getUint32(Math.min(i, bytes.length - 4), true) === 0x02014b50,
    );
    new DataView(bytes.buffer).setUint32(directory + 24, 0xfffffff0, true);
    expect(() => readNpz(bytes, { mostBytes: 2 ** 33 })).toThrow('to hold at most');
  });

  it('makes of a damaged file a DataError or a valid result', () => {
    const original = writeNpz(arrays, { level: 6 });
    let refused = 0;
    for (let seed = 0; seed < 10_000; seed++) {
      try {
        readNpz(mutated(original, seed), { mostBytes: 2 ** 24 });
      } catch (error) {
        if (!(error instanceof DataError)) throw new Error(`seed ${seed}`, { cause: error });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5_000);
  });

  it('makes of a damaged .npy file a DataError or a valid result', () => {
    const original = writeNpy(arrays.get('labels')!);
    for (let seed = 0; seed < 10_000; seed++) {
      try {
        readNpy(mutated(original, seed));
      } catch (error) {
        if (!(error instanceof DataError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
