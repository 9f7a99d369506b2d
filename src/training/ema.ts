/** Exponential moving average of parameters. */

/** Decay per update for which a weight halves after `halfLifeImages` images. Source: [karras:22], appendix F.2. */
export function emaDecayFromHalfLife(batchSize: number, halfLifeImages: number): number {
  return 0.5 ** (batchSize / halfLifeImages);
}

/** Sum of the weights of `updates` values in an average that starts from zero: 1 - decay^updates. */
export function emaBiasCorrection(decay: number, updates: number): number {
  return 1 - decay ** updates;
}

export interface EmaOptions {
  /** In [0, 1). */
  readonly decay: number;
  /** Weighs the values seen so far alone, so that the initial parameters have no share; else the average starts as their copy. */
  readonly biasCorrected: boolean;
}

/**
 * The weight of the newest parameters in update number `update` (from 1): ema <- ema + weight (parameters - ema).
 * With bias correction it is (1 - d) / (1 - d^k), which keeps the corrected average itself and needs no division afterwards.
 */
export function emaWeight({ decay, biasCorrected }: EmaOptions, update: number): number {
  return biasCorrected ? (1 - decay) / emaBiasCorrection(decay, update) : 1 - decay;
}
