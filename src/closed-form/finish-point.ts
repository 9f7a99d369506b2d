/** The exact field at one point from the few data that have weight there, in float64 by differences. */
import type { FloatArray } from './closed-form-field.ts';

/** A point and its time, in [0, 1). */
export interface FieldPoint {
  /** [elements]. */
  readonly x: FloatArray;
  readonly time: number;
}

/** Data by number: datum i is `values(i)` from `start(i)` on. No arrays are made for single data, as there may be thousands of short ones. */
export interface DataByNumber {
  values(number: number): FloatArray;
  start(number: number): number;
}

/** -|x - t x_i|^2 / (2 (1 - t)^2) of datum i: no digits are lost as t goes to 1. */
export function logitOf({ x, time }: FieldPoint, data: DataByNumber, number: number): number {
  const values = data.values(number);
  let squares = 0;
  for (let k = 0, at = data.start(number); k < x.length; k++, at++) squares += (x[k]! - time * values[at]!) ** 2;
  return -squares / (2 * (1 - time) ** 2);
}

/** The field of some data at a point; `nearest` is the number of the datum with the largest weight among them, at least one. */
export function finishPoint(point: FieldPoint, data: DataByNumber, numbers: readonly number[]) {
  const { x, time } = point;
  const logits = new Float64Array(numbers.length);
  let best = 0;
  for (let i = 0; i < logits.length; i++) {
    logits[i] = logitOf(point, data, numbers[i]!);
    if (logits[i]! > logits[best]!) best = i;
  }
  const largest = logits[best]!;
  const velocity = new Float64Array(x.length);
  let weight = 0;
  for (let i = 0; i < logits.length; i++) {
    const share = Math.exp(logits[i]! - largest);
    if (share === 0) continue;
    weight += share;
    const values = data.values(numbers[i]!);
    for (let k = 0, at = data.start(numbers[i]!); k < x.length; k++, at++)
      velocity[k]! += share * (values[at]! - x[k]!);
  }
  for (let k = 0; k < x.length; k++) velocity[k]! /= weight * (1 - time);
  return {
    velocity,
    logSumExp: largest + Math.log(weight),
    largestWeight: 1 / weight,
    nearest: numbers[best]!,
  };
}
