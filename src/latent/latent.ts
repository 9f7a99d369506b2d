import type { Tensor } from '../engine/tensor.ts';

/** What a latent space is to the rest of flowloom. */
export interface Latent {
  readonly kind: string;
  /** Shape of one sample's latents: [channels, height, width]. */
  readonly shape: readonly number[];
  /** Shape of one picture: [channels, height, width]. */
  readonly pixels: readonly number[];
  /** uint8 [batch, ...pixels] to float32 [batch, ...shape]. */
  encode(pixels: Uint8Array): Promise<Float32Array>;
  /** float32 [batch, ...shape] to uint8 [batch, ...pixels]. */
  decode(latents: Float32Array): Promise<Uint8Array>;
  /** The same on traced tensors, float32 [batch, ...shape] to uint8 [batch, ...pixels]: for graphs that end in pixels. */
  decodeTensor(latents: Tensor): Tensor;
  /** Gives back what encoding and decoding have opened; either opens it again. */
  release(): void;
}
