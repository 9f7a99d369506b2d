/** Problems of semi-discrete transport whose solution is known: grids, on which the optimal map is a quantile map along each axis. */
import type { CouplingBatch } from '../../src/coupling/coupling.ts';
import { type SemidiscreteOptions, semidiscreteCoupling } from '../../src/coupling/semidiscrete.ts';
import type { CouplingData } from '../../src/coupling/whole-cost.ts';
import { hostArgmaxProducts } from '../../src/numerics/argmax-products.ts';

/** Quantiles 1/8, ..., 7/8 of the normal distribution. */
export const eighths = [
  -1.1503493803760079, -0.6744897501960817, -0.3186393639643751, 0, 0.3186393639643751, 0.6744897501960817,
  1.1503493803760079,
];

const density = (z: number) => Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI);

/** Number of the eighth of the normal distribution that z lies in. */
export const eighthOf = (z: number) => eighths.filter((quantile) => z > quantile).length;

/** Least mean of (x - z)^2 for eight ascending points: 1 + mean x^2 - 2 sum_i x_i (phi(a_i) - phi(b_i)), cells (a_i, b_i). */
export function lineCost(points: readonly number[]): number {
  const ends = [Number.NEGATIVE_INFINITY, ...eighths, Number.POSITIVE_INFINITY].map(density);
  return points.reduce((sum, x, i) => sum + (x * x) / 8 - 2 * x * (ends[i]! - ends[i + 1]!), 1);
}

export function dataOfRows(
  rows: readonly (readonly number[])[],
  {
    labels = rows.map(() => 0),
    mirrored = false,
  }: { readonly labels?: readonly number[]; readonly mirrored?: boolean } = {},
): CouplingData {
  const elements = rows[0]!.length;
  return {
    count: rows.length,
    elements,
    labels: Int32Array.from(labels),
    mirrored,
    read: (numbers, flipped) =>
      Promise.resolve(
        Float32Array.from(
          [...numbers].flatMap((row, i) => rows[row]!.map((value) => (flipped[i] === 1 ? -value : value))),
        ),
      ),
  };
}

export const options: SemidiscreteOptions = {
  noisesPerImage: 60,
  fitBatch: 64,
  rate: 4,
  slowing: 2,
  perClass: false,
  memoryBytes: 2 ** 20,
};

/** A coupling by the reference products. */
export function couplingOf(data: CouplingData, change: Partial<SemidiscreteOptions> = {}, seed = 1) {
  const coupling = semidiscreteCoupling({
    options: { ...options, ...change },
    data,
    openProducts: hostArgmaxProducts,
    seed,
  });
  const { preliminary, wholeCost } = coupling;
  if (preliminary === undefined || wholeCost === undefined) throw new Error('a coupling without a fit or cost');
  const noBatch = () => Promise.reject(new Error('the fit asked for a batch'));
  return { ...coupling, wholeCost, preliminary, advance: () => preliminary.advance(noBatch) };
}

export type FittedCoupling = ReturnType<typeof couplingOf>;

export async function fitted(...parts: Parameters<typeof couplingOf>): Promise<FittedCoupling> {
  const coupling = couplingOf(...parts);
  while (coupling.preliminary.done < coupling.preliminary.total) await coupling.advance();
  return coupling;
}

/** The first data as a batch of some rows. */
export async function batchOf(data: CouplingData, rows: number): Promise<CouplingBatch> {
  const indices = Uint32Array.from({ length: rows }, (_, row) => row % data.count);
  const flipped = new Uint8Array(rows);
  const labels = Int32Array.from(indices, (index) => data.labels[index]!);
  return { target: await data.read(indices, flipped), labels, indices, flipped };
}
