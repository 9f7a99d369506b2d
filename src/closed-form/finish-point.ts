/** The exact field at one point from the few data that have weight there, in float64 by differences. */
import type { FloatArray } from './closed-form-field.ts';

/** A point and its time, in [0, 1). */
export interface FieldPoint {
  /** [elements]. */
  readonly x: FloatArray;
  readonly time: number;
}

/** -|x - t x_i|^2 / (2 (1 - t)^2): no digits are lost as t goes to 1. */
export function logitOf({ x, time }: FieldPoint, datum: FloatArray): number {
  let squares = 0;
  for (let k = 0; k < x.length; k++) squares += (x[k]! - time * datum[k]!) ** 2;
  return -squares / (2 * (1 - time) ** 2);
}

/** The field of some data at a point; `nearest` is the place of the datum with the largest weight among them, at least one. */
export function finishPoint(point: FieldPoint, data: readonly FloatArray[]) {
  const { x, time } = point;
  const logits = data.map((datum) => logitOf(point, datum));
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const velocity = new Float64Array(x.length);
  let weight = 0;
  for (const [i, datum] of data.entries()) {
    const share = Math.exp(logits[i]! - largest);
    if (share === 0) continue;
    weight += share;
    for (let k = 0; k < x.length; k++) velocity[k]! += share * (datum[k]! - x[k]!);
  }
  for (let k = 0; k < x.length; k++) velocity[k]! /= weight * (1 - time);
  return {
    velocity,
    logSumExp: largest + Math.log(weight),
    largestWeight: 1 / weight,
    nearest: logits.indexOf(largest),
  };
}
