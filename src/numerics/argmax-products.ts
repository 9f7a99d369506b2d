/** Which row of a kept matrix has the largest product with a given row: the part of semi-discrete transport that takes time. */
import { ShapeError } from '../errors.ts';
import type { KeptRows } from './kept-rows.ts';

/** Answers to questions of several rows, one an entry of each array. */
export interface Winners {
  /** Number of the kept row with the largest score: int32 [rows]. */
  readonly rows: Int32Array;
  /** The largest scores: float32 [rows]. */
  readonly scores: Float32Array;
  /** How far the largest score is above the second largest: float32 [rows]. */
  readonly margins: Float32Array;
}

/** Kept rows x_i with offsets h_i, asked for the largest of the scores x_i.z + h_i. */
export interface ArgmaxProducts {
  /** Replaces the offsets, which are 0 at first: [count], used in float32; between calls of `argmax` only. @throws ShapeError */
  setOffsets(offsets: ArrayLike<number>): void;
  /**
   * The row with the largest x_i.z + h_i for each z, the first where several are largest. Calls are served in order.
   * @param noise  float32 [rows, elements].
   * @param options.antithetic  whether each -z is asked for too, at little cost; the answers for them follow all others.
   * @throws ShapeError if the numbers do not fill whole rows.
   */
  argmax(noise: Float32Array, options?: { readonly antithetic?: boolean }): Promise<Winners>;
  release(): void;
}

/** Reads the rows and keeps them. */
export type OpenArgmaxProducts = (rows: KeptRows) => Promise<ArgmaxProducts>;

function checkLength(name: string, length: number, wanted: string | null): void {
  if (wanted === null) return;
  throw new ShapeError({
    expected: `\`${name}\` to be ${wanted}`,
    got: `${length} numbers`,
    where: 'numerics/argmax-products',
  });
}

/** `ArgmaxProducts` in plain JavaScript with float64 sums, for small problems and as a reference. */
export const hostArgmaxProducts: OpenArgmaxProducts = async ({ count, elements, read }) => {
  const kept = await read(0, count);
  let offsets = new Float32Array(count);
  return {
    setOffsets(values) {
      checkLength('offsets', values.length, values.length === count ? null : `[count] = [${count}]`);
      offsets = Float32Array.from(values);
    },
    argmax(noise, { antithetic = false } = {}) {
      checkLength('noise', noise.length, noise.length % elements === 0 ? null : `[rows, ${elements}]`);
      const signed = antithetic ? Float32Array.from([...noise, ...noise.map((value) => -value)]) : noise;
      const rows = signed.length / elements;
      const winners = { rows: new Int32Array(rows), scores: new Float32Array(rows), margins: new Float32Array(rows) };
      for (let row = 0; row < rows; row++) {
        const z = signed.subarray(row * elements, (row + 1) * elements);
        let [largest, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (let i = 0; i < count; i++) {
          let score = offsets[i]!;
          for (let k = 0; k < elements; k++) score += kept[i * elements + k]! * z[k]!;
          if (score > largest) {
            [largest, second] = [score, largest];
            winners.rows[row] = i;
          } else {
            second = Math.max(second, score);
          }
        }
        winners.scores[row] = largest;
        winners.margins[row] = largest - second;
      }
      return Promise.resolve(winners);
    },
    release() {},
  };
};
