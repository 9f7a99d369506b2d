import { expect, it } from 'vitest';
import { halfValue } from '../../src/engine/onnx/element-type.ts';
import { decodeFloat16, float16ToFloat32 } from '../../src/formats/half-precision.ts';

// The engine imports nothing of ours, so ONNX files and others have a decoder each.
it('every float16 is the same number in ONNX files and in others', () => {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  const decoded = Array.from(all, decodeFloat16);
  expect(decoded).toEqual(Array.from(all, halfValue));
  expect(Array.from(float16ToFloat32(all))).toEqual(decoded);
  expect(decoded.slice(0x3c00, 0x3c02)).toEqual([1, 1 + 2 ** -10]);
});
