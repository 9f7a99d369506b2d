/**
 * The velocity field that flow matching would learn from a finite data set if it learned perfectly, and what its weights tell.
 * `host-closed-form.ts` computes it in float64 on the host, `engine-closed-form.ts` in float32 on a runtime.
 */
import { NumericalError, ShapeError } from '../errors.ts';

/** Arrays that hold states: the field answers in the type that it is asked in. */
export type FloatArray = Float32Array | Float64Array;

/** The field at some points, row by row. */
export interface FieldAnswer<A extends FloatArray> {
  /** u*(x, t), [batch, elements], in latent units per unit time. */
  readonly velocity: A;
  /** log sum_i exp(-|x - t x_i|^2 / (2 (1 - t)^2)) over the data of the field: float64 [batch]. */
  readonly logSumExp: Float64Array;
  /** The largest weight lambda_i, in (0, 1]: float64 [batch]. */
  readonly largestWeight: Float64Array;
  /** Number of the datum with the largest weight, the first where several are largest: int32 [batch]. */
  readonly nearest: Int32Array;
}

/**
 * The exact velocity field of n data x_i on the linear path from standard normal noise, noise and data paired independently:
 * u*(x, t) = sum_i lambda_i (x_i - x) / (1 - t), lambda = softmax_i(-|x - t x_i|^2 / (2 (1 - t)^2)).
 *
 * Source: [bertrand:25], proposition 1; [briq:26], eq. (2). At time 0 it is the mean of the data minus x; towards time 1 it is the
 * velocity to the nearest datum. Fails when: time is 1, where it is unbounded.
 */
export interface ClosedFormField<A extends FloatArray> {
  /** Data that the field is made of. */
  readonly count: number;
  /** Numbers in a datum. */
  readonly elements: number;
  /**
   * The field and its weights.
   * @param x     [batch, elements].
   * @param time  float64 [batch], each in [0, 1).
   * @throws ShapeError if the sizes do not fit; NumericalError if a time is outside [0, 1).
   */
  evaluate(x: A, time: Float64Array): Promise<FieldAnswer<A>>;
  /**
   * The field of some of the data, without a copy of them. Answers number the data as this field does. It is released with this one.
   * @param rows  numbers of the data that remain, at least one.
   * @throws ShapeError if a number is outside the data or there is none.
   */
  restrictedTo(rows: Uint32Array): ClosedFormField<A>;
  /** Gives back what was allocated. */
  release(): void;
}

/**
 * Log-density log p_t(x) of the path at time t, for equally likely data: p_t is a mixture of normals N(t x_i, (1 - t)^2).
 * @param logSumExp  of the field's answer: float64 [batch].
 * @returns float64 [batch], in nats.
 */
export function logDensity(
  logSumExp: Float64Array,
  time: Float64Array,
  { count, elements }: { readonly count: number; readonly elements: number },
): Float64Array {
  return logSumExp.map(
    (value, row) => value - Math.log(count) - elements * (Math.log1p(-time[row]!) + 0.5 * Math.log(2 * Math.PI)),
  );
}

/** Rows of a request. @throws ShapeError, NumericalError as `evaluate` does. */
export function checkedBatch(x: FloatArray, time: Float64Array, elements: number): number {
  const where = 'closed-form/closed-form-field';
  if (x.length !== time.length * elements) {
    throw new ShapeError({
      expected: `\`x\` to be [batch, elements] = [${time.length}, ${elements}]`,
      got: `${x.length} numbers`,
      where,
    });
  }
  const wrong = time.find((t) => !(t >= 0 && t < 1));
  if (wrong === undefined) return time.length;
  throw new NumericalError({
    expected: '`time` in [0, 1), as the field is unbounded at 1',
    got: `${wrong}`,
    where,
    remedy: 'a solution up to a time a little before 1, and one step of Euler from there',
  });
}

/** 1 for the data that remain: uint8 [count]. @throws ShapeError as `restrictedTo` does. */
export function keptMask(rows: Uint32Array, count: number): Uint8Array {
  const mask = new Uint8Array(count);
  for (const row of rows) {
    if (row >= count) {
      throw new ShapeError({ expected: `rows below ${count}`, got: `${row}`, where: 'closed-form restrictedTo' });
    }
    mask[row] = 1;
  }
  if (rows.length > 0) return mask;
  throw new ShapeError({ expected: 'at least one row', got: 'none', where: 'closed-form restrictedTo' });
}
