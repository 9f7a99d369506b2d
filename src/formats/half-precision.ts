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
