/**
 * The exact field in float32 on a runtime. Matrix products score all data for a batch of points; the points at which few data have weight
 * are then finished on the host, in float64 by differences, and only the others take a second product.
 */
import type { Runtime } from '../engine/runtime.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import { type ClosedFormField, checkedBatch, type FieldAnswer, keptMask } from './closed-form-field.ts';
import { finishPoint, logitOf } from './finish-point.ts';
import { type ChunkScores, leastScore, openRowScores, type RowMask, type RowScores } from './row-scores.ts';

type Answer = FieldAnswer<Float32Array>;

/** Weights below this share of all are left out: together they are below float32's precision. */
const negligible = 1e-7;
/** A point is finished on the host if no more data than this, or a 300th of all, have weight: beyond that the second product is faster. */
const fewData = 16;
const fewShare = 1 / 300;
/** ... or if their numbers are no more than this. */
const fewNumbers = 2 ** 11;

/** Scale at time 0: all data weigh the same to the last digit, and those that are left out still nothing. */
const leastScale = 1e-20;

/** Points of one request that fit into a chunk. */
interface Part {
  readonly x: Float32Array;
  readonly time: Float64Array;
}

/** What the scores say of one point. */
interface PointScores {
  /** t / (1 - t)^2: logits are this times the scores, plus a number of the point alone. */
  readonly scale: number;
  /** The largest score. */
  readonly largest: number;
  /** Scores below this have no weight, whatever the error of float32. */
  readonly least: number;
}

function pointsOf({ x, time }: Part, centre: Float64Array) {
  const elements = centre.length;
  const shifted = x.slice();
  for (const [row, t] of time.entries()) {
    if (t === 0) continue;
    for (let k = 0, at = row * elements; k < elements; k++, at++) shifted[at] = x[at]! - t * centre[k]!;
  }
  return { x: shifted, time: Float32Array.from(time) };
}

/** Error of the scores of a point: a product of `elements` terms in float32, and the roundings after it. */
function scoreError(shifted: Float32Array, row: number, { centre, largestNorm }: RowScores, time: number): number {
  const elements = centre.length;
  let square = 0;
  for (let i = row * elements; i < (row + 1) * elements; i++) square += shifted[i]! ** 2;
  const norm = Math.sqrt(centre.reduce((sum, value) => sum + value ** 2, 0));
  const terms = Math.sqrt(square) * largestNorm + time * (largestNorm ** 2 / 2 + norm * largestNorm);
  return 2 ** -23 * (Math.sqrt(elements) + 2) * terms;
}

function largestOf(scores: ChunkScores, row: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const block of scores.largest) if (block !== null) largest = Math.max(largest, block[row]!);
  return largest;
}

/** Numbers of the data with weight, ascending; `null` if there are more than `most`. */
function candidatesOf(
  scores: ChunkScores,
  row: number,
  { least, blocks, most }: { readonly least: number; readonly blocks: RowScores['blocks']; readonly most: number },
): number[] | null {
  const found: number[] = [];
  for (const [index, { first, rows }] of blocks.entries()) {
    const largest = scores.largest[index];
    if (largest == null || largest[row]! < least) continue;
    const values = scores.block(index);
    const start = (values.length / scores.rows) * row;
    for (let i = 0; i < rows; i++) if (values[start + i]! >= least) found.push(first + i);
    if (found.length > most) return null;
  }
  return found;
}

/** The first datum whose score is at least `score`. */
function firstOf(scores: ChunkScores, row: number, score: number): { readonly block: number; readonly place: number } {
  const block = scores.largest.findIndex((values) => values !== null && values[row]! >= score);
  const values = scores.block(block);
  const start = (values.length / scores.rows) * row;
  const own = values.subarray(start, start + values.length / scores.rows);
  return { block, place: own.findIndex((value) => value >= score) };
}

/** A field over the data of `rows` that a mask lets in. */
interface Source {
  readonly scores: RowScores;
  readonly mask: RowMask;
  readonly count: number;
}

async function evaluatePart(source: Source, part: Part, answer: Answer): Promise<void> {
  const { scores: rows, mask, count } = source;
  const elements = rows.centre.length;
  const points = pointsOf(part, rows.centre);
  const scores = await rows.scores(points, mask);
  const most = Math.max(fewData, count * fewShare, fewNumbers / elements);
  const mixed: { readonly row: number; readonly at: PointScores }[] = [];
  for (const [row, t] of part.time.entries()) {
    const scale = Math.max(t / (1 - t) ** 2, leastScale);
    const largest = largestOf(scores, row);
    const margin = (Math.log(count) - Math.log(negligible)) / scale;
    const least = Math.max(leastScore, largest - margin - 2 * scoreError(points.x, row, rows, t));
    const found = candidatesOf(scores, row, { least, blocks: rows.blocks, most });
    if (found === null) {
      mixed.push({ row, at: { scale, largest, least } });
      continue;
    }
    const x = part.x.subarray(row * elements, (row + 1) * elements);
    const finished = finishPoint({ x, time: t }, await rows.data(found), found);
    answer.velocity.set(finished.velocity, row * elements);
    answer.logSumExp[row] = finished.logSumExp;
    answer.largestWeight[row] = finished.largestWeight;
    answer.nearest[row] = finished.nearest;
  }
  if (mixed.length > 0) await mixPoints(source, part, { scores, mixed, answer });
}

/** Points at which many data have weight: sums over all data, by the second product. */
async function mixPoints(
  { scores: rows }: Source,
  part: Part,
  {
    scores,
    mixed,
    answer,
  }: {
    readonly scores: ChunkScores;
    readonly mixed: readonly { readonly row: number; readonly at: PointScores }[];
    readonly answer: Answer;
  },
): Promise<void> {
  const elements = rows.centre.length;
  const scale = new Float32Array(scores.rows);
  const shift = new Float32Array(scores.rows);
  for (const { row, at } of mixed) [scale[row], shift[row]] = [at.scale, at.largest];
  const wanted = [...rows.blocks.keys()].filter((index) =>
    mixed.some(({ row, at }) => (scores.largest[index]?.[row] ?? Number.NEGATIVE_INFINITY) >= at.least),
  );
  const { weight, sum } = await rows.sums({ scale, shift }, wanted);
  for (const { row, at } of mixed) {
    const t = part.time[row]!;
    // At time 0 all weights are equal.
    const { block, place } = firstOf(scores, row, t === 0 ? leastScore : at.largest);
    const nearest = rows.blocks[block]!.first + place;
    answer.nearest[row] = nearest;
    const x = part.x.subarray(row * elements, (row + 1) * elements);
    const logit = logitOf({ x, time: t }, await rows.data([nearest]), nearest);
    answer.logSumExp[row] = logit + Math.log(weight[row]!);
    answer.largestWeight[row] = 1 / weight[row]!;
    for (let k = 0, i = row * elements; k < elements; k++, i++) {
      answer.velocity[i] = (sum[i]! / weight[row]! - x[k]!) / (1 - t);
    }
  }
}

/**
 * The exact field by matrix products of a runtime, which it owns from here on: `release` gives it back. Answers for a point differ from the
 * float64 field by rounding: below 1e-4 of the velocity's norm, and at late times, where few data have weight, by the rounding of the
 * result alone. Memory besides the data: below 300 MiB.
 */
export async function engineClosedForm(runtime: Runtime, data: KeptRows): Promise<ClosedFormField<Float32Array>> {
  const scores = await openRowScores(runtime, data);
  const queue = { last: Promise.resolve() as Promise<unknown> };
  return fieldOver({ scores, mask: scores.mask(null), count: data.count }, null, { queue, total: data.count });
}

/** What all fields over the same data share. */
interface Shared {
  /** Calls are served one after the other. */
  readonly queue: { last: Promise<unknown> };
  /** All data. */
  readonly total: number;
}

function fieldOver(source: Source, kept: Uint8Array | null, shared: Shared): ClosedFormField<Float32Array> {
  const { scores, count } = source;
  const elements = scores.centre.length;
  const answerAll = async (x: Float32Array, time: Float64Array): Promise<Answer> => {
    const batch = time.length;
    const answer = {
      velocity: new Float32Array(x.length),
      logSumExp: new Float64Array(batch),
      largestWeight: new Float64Array(batch),
      nearest: new Int32Array(batch),
    };
    for (let first = 0; first < batch; first += scores.mostRows) {
      const last = Math.min(batch, first + scores.mostRows);
      await evaluatePart(
        source,
        { x: x.subarray(first * elements, last * elements), time: time.subarray(first, last) },
        {
          velocity: answer.velocity.subarray(first * elements, last * elements),
          logSumExp: answer.logSumExp.subarray(first, last),
          largestWeight: answer.largestWeight.subarray(first, last),
          nearest: answer.nearest.subarray(first, last),
        },
      );
    }
    return answer;
  };
  return {
    count,
    elements,
    async evaluate(x, time) {
      checkedBatch(x, time, elements);
      const turn = shared.queue.last.then(() => answerAll(x, time));
      shared.queue.last = turn.catch(() => {});
      return turn;
    },
    restrictedTo(rows) {
      const chosen = keptMask(rows, shared.total);
      const both = kept === null ? chosen : chosen.map((one, row) => one & kept[row]!);
      const left = both.reduce((sum, one) => sum + one, 0);
      return fieldOver({ scores, mask: scores.mask(both), count: left }, both, shared);
    },
    release: () => scores.release(),
  };
}
