/** The targets of empirical flow matching for batches of training: banks are drawn, and weighed by the cheapest route. */
import type { WeightedRows } from '../numerics/row-matrix.ts';
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

/**
 * From here on differences to x1 are added in float64, of the few candidates that have weight: what float32 sums lose, 1 / (1 - t)
 * would show.
 */
const lateTime = 0.99;
const nothing: WeightedRows = { rows: new Uint32Array(), weights: new Float64Array() };

/** sum_j lambda_j (b_j - x1) / (1 - t) of all rows, float32 [batch, elements]. */
async function corrections(
  rows: readonly WeighedRow[],
  sums: BatchBanks['sums'],
  elements: number,
): Promise<Float32Array> {
  const isLate = ({ pair }: WeighedRow) => sums === null || pair.time >= lateTime;
  const parts = rows.map((row) => (isLate(row) ? nothing : { rows: row.candidates.rows, weights: row.weights.others }));
  const correction = sums === null ? new Float32Array(rows.length * elements) : await sums(parts);
  for (const [number, row] of rows.entries()) {
    const { pair, candidates, weights } = row;
    const line = correction.subarray(number * elements, (number + 1) * elements);
    if (isLate(row)) {
      line.set(bankCorrection(pair, candidates, weights.others));
      continue;
    }
    const scale = 1 / (1 - pair.time);
    for (let k = 0; k < elements; k++) line[k] = scale * (line[k]! - (1 - weights.target) * pair.target[k]!);
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
      const correction = await corrections(rows, banks.sums, data.elements);
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
