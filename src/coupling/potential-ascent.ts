/** Stochastic ascent of the potentials of semi-discrete optimal transport. */
import type { ArgmaxProducts, Winners } from '../numerics/argmax-products.ts';

/** Changes that the running mean of margins looks back on. */
const marginChanges = 32;
/** Numbers of an ascent beside its potentials: noises, changes, margin. */
export const ascentNumbers = 3;

export interface AscentOptions {
  /** How much a noise lowers the potential of its datum at first, in mean margins between the best two scores of a noise. */
  readonly rate: number;
  /** Noises per datum during which that hardly falls; later it falls with their power 3/4. */
  readonly slowing: number;
}

export interface PotentialAscent {
  /** Potentials that the next noises are sent by: float64 [count], not to be written to. */
  readonly current: Float64Array;
  /** Average of the potentials so far, with weights that grow with their number: float64 [count], not to be written to. */
  readonly averaged: Float64Array;
  /** Noises seen. */
  readonly noises: number;
  /** Takes in where a batch of noises went by the `current` potentials. */
  step(winners: Pick<Winners, 'rows' | 'margins'>): void;
  /** Numbers that with the potentials make the state: float64 [3]. */
  readonly numbers: Float64Array;
  /** Goes on from another ascent's state, all of the same lengths. */
  restore(state: Pick<PotentialAscent, 'current' | 'averaged' | 'numbers'>): void;
}

const mean = (values: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/**
 * Potentials h_i that send each noise z to the datum argmax_i (x_i.z + h_i) and each datum the same share of the noises. With
 * g_i = 2 h_i + |x_i|^2 they maximise the concave semi-dual E_z min_i (|x_i - z|^2 - g_i) + (1/n) sum_i g_i, whose supergradient by g_i
 * is 1/n minus the share of datum i ([peyre:19], section 5; [genevay:16], section 4). Each noise lowers its datum's potential by
 * rate margin / (1 + u / slowing)^(3/4), u being the noises seen per datum, and raises all by 1/n of that. The margin is the running mean
 * of the difference between the two best scores, the scale on which potentials decide. The outcome is the average of the potentials
 * with weights proportional to their number (polynomial-decay averaging with eta = 1, [shamir:13]), which forgets the start.
 *
 * Shares are counted, so what stays of their inequality is 1.5 to 2 over u in chi-squared where scores are many and alike. Fails when data coincide: of equal data one
 * gets the noises of all.
 * @param start  float64 [count].
 */
export function potentialAscent(start: Float64Array, { rate, slowing }: AscentOptions): PotentialAscent {
  const count = start.length;
  const current = start.slice();
  const averaged = start.slice();
  let [noises, changes, margin] = [0, 0, 0];
  return {
    current,
    averaged,
    get noises() {
      return noises;
    },
    get numbers() {
      return Float64Array.of(noises, changes, margin);
    },
    step({ rows, margins }) {
      const seen = noises;
      noises += rows.length;
      // One datum gets all noises whatever its potential, and no score is second.
      if (count === 1) return;
      const found = mean(margins);
      // The margin of the changes before: one that these noises have a part in would make where they went count unequally.
      const scale = changes === 0 ? found : margin;
      changes += 1;
      margin += (found - margin) / Math.min(changes, marginChanges);
      const slowed = 1 + seen / count / slowing;
      // slowed^(3/4) by operations with the same bits everywhere.
      const fall = (rate * scale) / Math.sqrt(slowed * Math.sqrt(slowed));
      const rise = (fall * rows.length) / count;
      const weight = 2 / (changes + 1);
      for (const row of rows) current[row]! -= fall;
      for (let i = 0; i < count; i++) {
        current[i]! += rise;
        averaged[i]! += weight * (current[i]! - averaged[i]!);
      }
    },
    restore(state) {
      current.set(state.current);
      averaged.set(state.averaged);
      [noises, changes, margin] = [...state.numbers] as [number, number, number]; // three, as `numbers` has
    },
  };
}

/** Slopes of the starts that are tried: -3.7 norms make one of 10,000 independent scores exceed the largest as often as any other. */
const slopes = [0, 1, 2, 3, 4];

/**
 * Potentials to start from: of a few functions of the data's distances from their centre the one with the largest semi-dual on a sample.
 * In many dimensions scores are like independent normals of deviation r_i = |x_i - centre|, and -slope r_i makes their tails equal at
 * some height; in few, -r_i^2 / 2 sends noise to the nearest datum, and data that are normal with deviation s have -r_i^2 / (2 s), the
 * conjugate of the potential of the map z -> s z.
 * @param squares   float64 [count]: r_i^2.
 * @param products  asked with the noise; its offsets are changed.
 * @param noise     float32 [rows, elements].
 */
export async function startPotentials(
  squares: Float64Array,
  products: ArgmaxProducts,
  { noise, elements }: { readonly noise: Float32Array; readonly elements: number },
): Promise<Float64Array> {
  const deviation = Math.sqrt(mean(squares) / elements);
  const starts = slopes.map((slope) => squares.map((square) => -slope * Math.sqrt(square)));
  starts.push(squares.map((square) => -square / 2));
  if (deviation > 0) starts.push(squares.map((square) => -square / (2 * deviation)));
  let best = { potentials: new Float64Array(squares.length), dual: Number.NEGATIVE_INFINITY };
  for (const potentials of starts) {
    products.setOffsets(potentials);
    const { scores } = await products.argmax(noise);
    const dual = mean(potentials) - mean(scores);
    if (dual > best.dual) best = { potentials, dual };
  }
  return best.potentials;
}
