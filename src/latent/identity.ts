/** Pixels as latents: no encoder, only the map between bytes and numbers in [-1, 1]. */
import type { Latent } from './latent.ts';

/**
 * The identity latent: pixel p in 0..255 becomes p / 127.5 - 1, and back by rounding and clipping.
 * @param shape  [channels, height, width].
 */
export function identityLatent(shape: readonly number[]): Latent {
  return {
    kind: 'identity',
    shape,
    encode: (pixels) => Promise.resolve(Float32Array.from(pixels, (value) => value / 127.5 - 1)),
    decode: (latents) =>
      Promise.resolve(Uint8Array.from(latents, (value) => Math.min(255, Math.max(0, Math.round((value + 1) * 127.5))))),
  };
}
