/** The exact field in float64 on the host, block by block over the data. */
import type { KeptRows } from '../numerics/kept-rows.ts';
import {
  type ClosedFormField,
  checkedBatch,
  type FieldAnswer,
  type FloatArray,
  keptMask,
} from './closed-form-field.ts';

/** Data that are read block by block, float32 or float64. */
export type HostRows = Omit<KeptRows, 'read'> & { read(first: number, rows: number): Promise<FloatArray> };

export interface HostClosedFormOptions {
  /** Data in memory at once; the answer does not depend on it, to 1e-12. Default 1024. */
  readonly blockRows?: number;
}

/** Sums over the data seen so far, for each row of a request: of exp(logit - largest), and of that times x_i - x. */
interface RunningSums {
  /** Float64 [batch]. */
  readonly largest: Float64Array;
  readonly nearest: Int32Array;
  readonly weight: Float64Array;
  /** Float64 [batch, elements]. */
  readonly offset: Float64Array;
}

/** A block of the data: `values` are rows `first` and following. */
interface Block {
  readonly first: number;
  readonly values: FloatArray;
  /** Uint8 [count of all data], 0 where a datum is left out; null: none is. */
  readonly mask: Uint8Array | null;
}

/** Points at which the field is asked for. */
interface Points {
  readonly x: FloatArray;
  readonly time: Float64Array;
  readonly elements: number;
}

/** -|x - t x_i|^2 / (2 (1 - t)^2) of each datum of a block, by differences: no digits are lost as t goes to 1. */
function blockLogits({ x, time, elements }: Points, row: number, { first, values, mask }: Block): Float64Array {
  const t = time[row]!;
  const logits = new Float64Array(values.length / elements);
  const start = row * elements;
  for (let i = 0; i < logits.length; i++) {
    if (mask !== null && mask[first + i] === 0) {
      logits[i] = Number.NEGATIVE_INFINITY;
      continue;
    }
    let squares = 0;
    for (let k = 0, at = i * elements; k < elements; k++, at++) {
      const difference = x[start + k]! - t * values[at]!;
      squares += difference * difference;
    }
    logits[i] = -squares / (2 * (1 - t) ** 2);
  }
  return logits;
}

function indexOfLargest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Takes a block into one row's sums, scaled anew where the block holds a larger logit than all before. */
function takeIn(sums: RunningSums, row: number, { points, block }: { readonly points: Points; readonly block: Block }) {
  const { x, elements } = points;
  const logits = blockLogits(points, row, block);
  const best = indexOfLargest(logits);
  if (logits[best] === Number.NEGATIVE_INFINITY) return;
  const offset = sums.offset.subarray(row * elements, (row + 1) * elements);
  if (logits[best]! > sums.largest[row]!) {
    const scale = Math.exp(sums.largest[row]! - logits[best]!);
    sums.largest[row] = logits[best]!;
    sums.nearest[row] = block.first + best;
    sums.weight[row]! *= scale;
    for (let k = 0; k < elements; k++) offset[k]! *= scale;
  }
  const largest = sums.largest[row]!;
  for (let i = 0; i < logits.length; i++) {
    const weight = Math.exp(logits[i]! - largest);
    if (weight === 0) continue;
    sums.weight[row]! += weight;
    for (let k = 0, at = i * elements; k < elements; k++, at++) {
      offset[k]! += weight * (block.values[at]! - x[row * elements + k]!);
    }
  }
}

function answerOf<A extends FloatArray>(sums: RunningSums, { time, elements }: Points, velocity: A): FieldAnswer<A> {
  const { largest, nearest, weight, offset } = sums;
  for (let row = 0; row < time.length; row++) {
    const whole = weight[row]! * (1 - time[row]!);
    for (let i = row * elements; i < (row + 1) * elements; i++) velocity[i] = offset[i]! / whole;
  }
  return {
    velocity,
    logSumExp: largest.map((value, row) => value + Math.log(weight[row]!)),
    largestWeight: weight.map((value) => 1 / value),
    nearest,
  };
}

/**
 * The exact field with float64 sums by differences: the reference, and exact as time goes to 1. Memory: one block of the data.
 * Data in float32 are taken as they are.
 */
export function hostClosedForm(data: HostRows, { blockRows = 1024 }: HostClosedFormOptions = {}) {
  return fieldOf(data, null, blockRows);
}

function fieldOf(data: HostRows, mask: Uint8Array | null, blockRows: number): ClosedFormField<Float64Array> {
  const { elements } = data;
  return {
    count: mask === null ? data.count : mask.reduce((sum, one) => sum + one, 0),
    elements,
    async evaluate(x, time) {
      const batch = checkedBatch(x, time, elements);
      const points = { x, time, elements };
      const sums: RunningSums = {
        largest: new Float64Array(batch).fill(Number.NEGATIVE_INFINITY),
        nearest: new Int32Array(batch),
        weight: new Float64Array(batch),
        offset: new Float64Array(batch * elements),
      };
      for (let first = 0; first < data.count; first += blockRows) {
        const block = { first, values: await data.read(first, Math.min(blockRows, data.count - first)), mask };
        for (let row = 0; row < batch; row++) takeIn(sums, row, { points, block });
      }
      return answerOf(sums, points, new Float64Array(x.length));
    },
    restrictedTo(rows) {
      const kept = keptMask(rows, data.count);
      return fieldOf(data, mask === null ? kept : kept.map((one, row) => one & mask[row]!), blockRows);
    },
    release() {},
  };
}
