/** The targets of empirical flow matching for batches of training: banks are drawn, and weighed by the cheapest route. */
import { stream } from '../numerics/stream.ts';
import { bankDraws } from './efm-bank.ts';
import type { EfmBatch, EfmData, EfmOptions, EfmTools } from './efm-data.ts';
import { type BatchBanks, efmMatrices } from './efm-matrices.ts';
import { weighCandidates } from './efm-screen.ts';
import { type BankWeights, bankCorrection, bankWeights, type Candidates, type EfmPair } from './efm-target.ts';

/** How stochastic the targets of a batch still are: means over its rows. */
export interface TargetReport {
  /** Data in the bank, x1 among them. */
  readonly candidates: number;
  /** 1 / sum_j lambda_j^2: of so many equally weighted data the target is a mean. */
  readonly effective: number;
  /** Weight lambda of x1: 1 where the target is that of flow matching. */
  readonly weight: number;
}

/** What a batch's velocities x1 - x0 are corrected by. */
export interface EfmAnswer {
  /** float32 [batch, elements]. */
  readonly correction: Float32Array;
  readonly report: TargetReport;
}

/** Targets of empirical flow matching. */
export interface EfmTarget {
  /**
   * The corrections of a batch, a function of the batch, the run's seed and the images seen before it.
   * The first call reads the data, where they are kept in memory.
   */
  correct(batch: EfmBatch, imagesSeen: number): Promise<EfmAnswer>;
}

export interface EfmParts {
  readonly data: EfmData;
  readonly tools: EfmTools;
  readonly seed: number;
}

/** A row of a batch with the candidates that have weight. */
interface WeighedRow {
  readonly pair: EfmPair;
  readonly candidates: Candidates;
  readonly weights: BankWeights;
}

function pairOf({ source, target, time }: EfmBatch, row: number): EfmPair {
  const elements = target.length / time.length;
  const span = [row * elements, (row + 1) * elements] as const;
  return { source: source.subarray(...span), target: target.subarray(...span), time: time[row]! };
}

async function weighedRows(batch: EfmBatch, banks: BatchBanks): Promise<WeighedRow[]> {
  const rows: WeighedRow[] = [];
  for (let row = 0; row < batch.time.length; row++) {
    const pair = pairOf(batch, row);
    const { values, rows: all } = await banks.candidates(row);
    const { rows: some, logits } = weighCandidates(pair, { values, rows: all }, banks.screen(row));
    rows.push({ pair, candidates: { values, rows: some }, weights: bankWeights(logits) });
  }
  return rows;
}

/** Corrections from sums of the candidates, float32: sum_j lambda_j b_j - (1 - lambda) x1 over 1 - t. */
async function corrected(
  rows: readonly WeighedRow[],
  sums: NonNullable<BatchBanks['sums']>,
  elements: number,
): Promise<Float32Array> {
  const correction = await sums(
    rows.map(({ candidates, weights }) => ({ rows: candidates.rows, weights: weights.others })),
  );
  for (const [row, { pair, weights }] of rows.entries()) {
    const own = 1 - weights.target;
    const scale = pair.time >= 1 ? 0 : 1 / (1 - pair.time);
    for (let k = 0, at = row * elements; k < elements; k++, at++) {
      correction[at] = scale * (correction[at]! - own * pair.target[k]!);
    }
  }
  return correction;
}

/** The same from differences, row by row. */
function summed(rows: readonly WeighedRow[], elements: number): Float32Array {
  const correction = new Float32Array(rows.length * elements);
  for (const [row, { pair, candidates, weights }] of rows.entries()) {
    correction.set(bankCorrection(pair, candidates, weights.others), row * elements);
  }
  return correction;
}

/** Targets by [bertrand:25], algorithm 1; see `efmCorrection` for the formula. */
export function efmTarget(options: EfmOptions, { data, tools, seed }: EfmParts): EfmTarget {
  const { candidates, bank: kind } = options;
  const draw = bankDraws(data, { candidates, kind });
  const matrices = efmMatrices(options, { data, tools });
  return {
    async correct(batch, imagesSeen) {
      const numbers = data.numbers(batch.indices, batch.flipped);
      const drawn = draw({ numbers, labels: batch.labels }, stream(seed, 'efm-bank', imagesSeen));
      const banks = await matrices.prepare(batch, drawn);
      const rows = await weighedRows(batch, banks);
      const { sums } = banks;
      const correction = sums === null ? summed(rows, data.elements) : await corrected(rows, sums, data.elements);
      const mean = (value: (row: WeighedRow) => number) => rows.reduce((sum, row) => sum + value(row), 0) / rows.length;
      return {
        correction,
        report: {
          candidates: drawn.reduce((sum, others) => sum + others.length + 1, 0) / rows.length,
          effective: mean(({ weights }) => weights.effective),
          weight: mean(({ weights }) => weights.target),
        },
      };
    },
  };
}
