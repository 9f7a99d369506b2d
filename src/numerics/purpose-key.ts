/**
 * The 32-bit key of a purpose's name: FNV-1a over its UTF-8 bytes, h <- (h ^ byte) * 16777619 from 2166136261.
 * Two names share a key with probability 2^-32; Philox makes of near keys unrelated sequences, so no mixing is needed.
 *
 * Source: [fnv:12].
 */
export function purposeKey(purpose: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(purpose)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
