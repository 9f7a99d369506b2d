/** What `encode` is asked and answers: plain records between cli/ and encode-data.ts. */
import type { RunConfig } from './config.ts';
import type { RunEvent } from './run-types.ts';
import type { ImageData } from './stored-data.ts';

/** Images to be encoded. */
export interface EncodeRequest {
  readonly data: ImageData;
  /** Folder of the autoencoder's run, or of one of its checkpoints. */
  readonly autoencoder: string;
  /** Folder of the cache; `null`: where a training looks that is given none. */
  readonly folder: string | null;
  readonly dtype: 'float16' | 'float32';
  /** Whether training images are encoded mirrored, too. */
  readonly flips: boolean;
  /** What executes the encoder. */
  readonly runtime: RunConfig['runtime'];
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** A request without what connects it with a terminal. */
export type EncodeSettings = Omit<EncodeRequest, 'signal' | 'onEvent'>;

/** Training or held-out images, encoded. */
export interface EncodedPart {
  readonly part: string;
  readonly images: number;
  /** Bytes of their latents. */
  readonly bytes: number;
}

/** A cache that is complete. */
export interface EncodeOutcome {
  readonly folder: string;
  /** SHA-256 of the encoder. */
  readonly encoder: string;
  readonly dtype: string;
  readonly flips: boolean;
  /** [channels, height, width] of the latents of an image. */
  readonly shape: readonly number[];
  /** Mean and standard deviation of each channel over the training latents. */
  readonly normalization: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  readonly parts: readonly EncodedPart[];
  readonly seconds: number;
}
