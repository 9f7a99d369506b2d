/** Pixels as latents: no encoder, only the map between bytes and numbers in [-1, 1]. */
import { add, cast, clip, floor, multiply } from '../engine/ops.ts';
import type { Latent } from './latent.ts';

/**
 * The identity latent: pixel p in 0..255 becomes p / 127.5 - 1, and back by rounding and clipping.
 * @param shape  [channels, height, width].
 */
export function identityLatent(shape: readonly number[]): Latent {
  const table = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);
  return {
    kind: 'identity',
    shape,
    pixels: shape,
    async encode(pixels) {
      // Plain loops: `from` with a function takes tens of times longer, and this runs for every batch.
      const latents = new Float32Array(pixels.length);
      for (let i = 0; i < pixels.length; i++) latents[i] = table[pixels[i]];
      return latents;
    },
    async decode(latents) {
      const pixels = new Uint8Array(latents.length);
      for (let i = 0; i < latents.length; i++) {
        pixels[i] = Math.min(255, Math.max(0, Math.round((latents[i] + 1) * 127.5)));
      }
      return pixels;
    },
    decodeTensor(latents) {
      // In float64, as on the host: halves are rounded up, which `round` of the engine does not.
      const levels = multiply(add(cast(latents, 'float64'), 1), 127.5);
      return cast(clip(floor(add(levels, 0.5)), 0, 255), 'uint8');
    },
    release() {},
  };
}
