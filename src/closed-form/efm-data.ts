/** What the targets of empirical flow matching are computed of, and with. */
import type { KeptMatrix, KeptMatrixOptions } from '../engine/kept-matrix.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { BankKind } from './efm-bank.ts';

/** The data of a run, to be read in any order; where training mirrors, mirror images have numbers of their own. */
export interface EfmData {
  readonly count: number;
  readonly elements: number;
  /** Label of each: int32 [count]. */
  readonly labels: Int32Array;
  /** Numbers of data by row of the set, and 1 where a row is mirrored: uint32 [rows]. */
  numbers(indices: Uint32Array, flipped: Uint8Array): Uint32Array;
  /** float32 [rows, elements]. */
  read(numbers: Uint32Array): Promise<Float32Array>;
}

/** Sources and targets of a batch with their times, rows aligned. */
export interface EfmBatch {
  /** float32 [batch, elements]. */
  readonly source: Float32Array;
  /** float32 [batch, elements]: the data of `indices`. */
  readonly target: Float32Array;
  /** float32 [batch], in [0, 1]. */
  readonly time: Float32Array;
  /** Row of each datum in its set: uint32 [batch]. */
  readonly indices: Uint32Array;
  /** 1 where it is mirrored: uint8 [batch]. */
  readonly flipped: Uint8Array;
  /** Label that the model is told of each row; `null` for none. */
  readonly labels: readonly (number | null)[];
}

/** How banks are drawn and kept. */
export interface EfmOptions {
  /** M: with banks of their own, data in each, x1 among them; with a shared one, data in it besides those of the batch. */
  readonly candidates: number;
  readonly bank: BankKind;
  /** Memory that the latents of the whole set may take; where they take more, banks are read batch by batch. */
  readonly memoryBytes: number;
}

/** What targets are computed with. */
export interface EfmTools {
  /** Products of a batch with a bank that it shares. */
  readonly products: DotProducts;
  /** Keeps the whole set for products with it. */
  openMatrix(options: KeptMatrixOptions): Promise<KeptMatrix>;
}
