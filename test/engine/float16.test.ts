import { describe, expect, test } from 'vitest';
import { toFloat16 } from '../../src/engine/dtype.ts';
import { closeGraph } from '../../src/engine/graph.ts';
import { parseGraph, printGraph } from '../../src/engine/graph-text.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { cast, constantTensor, multiply } from '../../src/engine/ops.ts';
import { primitiveNamed } from '../../src/engine/primitives/table.ts';
import { placeholder } from '../../src/engine/tensor.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../src/formats/half-precision.ts';
import { uniforms } from './examples.ts';

describe('toFloat16', () => {
  test('takes every float16 to itself', () => {
    const all = float16ToFloat32(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
    expect(all.every((value) => Object.is(toFloat16(value), value))).toBe(true);
  });

  test('rounds as the file format does, between all neighbours and halfway', () => {
    const next = uniforms(3);
    const positive = float16ToFloat32(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits));
    const between = [...positive].flatMap((low, bits) => {
      const high = positive[bits + 1] ?? 65536;
      return [0.5, next(), next() ** 4, 1 - next() ** 4].map((share) => low + share * (high - low));
    });
    const values = Float32Array.from([...between, ...between.map((value) => -value), 65519.99, 65520, 1e30]);
    const wanted = float16ToFloat32(float32ToFloat16(values));
    expect(values.filter((value, i) => !Object.is(toFloat16(value), wanted[i]))).toEqual(Float32Array.of());
  });
});

describe('float16 in a graph', () => {
  const x = placeholder({ dtype: 'float32', shape: [2] });
  const half = cast(x, 'float16');

  test('is printed and read back, constants too', () => {
    const y = cast(multiply(half, constantTensor([0.1, 3], [2], 'float16')), 'float32');
    const text = printGraph(closeGraph([['x', x]], [['y', y]]));
    expect(text).toContain('f16[2]');
    expect(text).toContain('[0.0999755859375,3]');
    expect(printGraph(parseGraph(text, primitiveNamed))).toBe(text);
  });

  test('widened and narrowed again is itself', () => {
    expect(cast(cast(half, 'float32'), 'float16')).toBe(half);
    expect(cast(cast(half, 'int32'), 'float16')).not.toBe(half);
  });

  test('is no input or output', () => {
    expect(() => emitModel(closeGraph([['x', x]], [['y', half]]))).toThrow(/the host can hold; got `y` of float16/);
    const input = placeholder({ dtype: 'float16', shape: [2] });
    expect(() => emitModel(closeGraph([['x', input]], [['y', cast(input, 'float32')]]))).toThrow(/got `x` of float16/);
  });
});
