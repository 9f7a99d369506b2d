/** 16-bit floating-point formats, which JavaScript has no arrays for: kept as bit patterns, decoded to float32 exactly. */

/** The float32 value of one IEEE 754 binary16 bit pattern; every such value is exact in float32. */
export function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Float32 values of binary16 bit patterns, same length. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  // A table of all patterns pays where it is asked more often than it has entries.
  const table =
    bits.length > 65536 ? Float32Array.from({ length: 65536 }, (_, pattern) => decodeFloat16(pattern)) : null;
  for (let i = 0; i < bits.length; i++) values[i] = table === null ? decodeFloat16(bits[i]!) : table[bits[i]!]!;
  return values;
}

/** Float32 values of bfloat16 bit patterns (the upper halves of float32 patterns), same length. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Largest finite value of binary16. */
export const largestFloat16 = 65504;

/**
 * The binary16 bit patterns nearest to float32 values, halves to even, same length. The relative error is at most 2^-11 for magnitudes
 * from 2^-14 on, and below them the error is at most 2^-25; magnitudes from 65520 on become infinite.
 */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = encodeFloat16(words[i]);
  return bits;
}

/** The binary16 pattern of a float32 pattern. */
function encodeFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more
  // Below 2^-14 the fraction counts steps of 2^-24; a carry out of it is the exponent's first step.
  if (magnitude < 0x38800000) return sign | toEven(magnitudeOf(magnitude) * 2 ** 24);
  const rebased = magnitude - 0x38000000; // the exponent's bias from 127 to 15
  return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
}

/** Value of the float32 pattern of a number below 2^-14. */
function magnitudeOf(pattern: number): number {
  const exponent = pattern >>> 23;
  const fraction = pattern & 0x7fffff;
  return exponent === 0 ? fraction * 2 ** -149 : (fraction + 0x800000) * 2 ** (exponent - 150);
}

function toEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
