/** What moving a noise to a datum costs. */
import type { DotProducts } from '../numerics/dot-products.ts';

/** 'squared': |x - z|^2, whose optimum is that of W2 ([davtyan:25], eq. 7); 'l2': |x - z| ([davtyan:25], appendix B). */
export type CostKind = 'squared' | 'l2';

/** Noise and data of equal number, rows of `elements` numbers. */
export interface PairRows {
  /** float32 [count, elements]. */
  readonly source: Float32Array;
  /** float32 [count, elements]. */
  readonly target: Float32Array;
  readonly elements: number;
}

/** Cost of target row `row` with source row `column`, summed in float64. */
export function pairCost(
  kind: CostKind,
  { source, target, elements }: PairRows,
  [row, column]: readonly [number, number],
): number {
  const [x, z] = [row * elements, column * elements];
  let sum = 0;
  for (let i = 0; i < elements; i++) {
    const difference = target[x + i]! - source[z + i]!;
    sum += difference * difference;
  }
  return kind === 'squared' ? sum : Math.sqrt(sum);
}

/** Cost of each target row with the source row of the same number: float64 [count]. */
export function alignedCosts(kind: CostKind, rows: PairRows): Float64Array {
  return Float64Array.from({ length: rows.target.length / rows.elements }, (_, row) =>
    pairCost(kind, rows, [row, row]),
  );
}

function squaredNorms(values: Float32Array, elements: number): Float64Array {
  const norms = new Float64Array(values.length / elements);
  for (let i = 0; i < values.length; i++) norms[Math.floor(i / elements)]! += values[i]! * values[i]!;
  return norms;
}

/**
 * Costs of all target rows with all source rows, as an assignment wants them: terms of a row or a column alone, which change no
 * assignment, are left out. Squared: -2 x.z, which loses no digits to |x|^2 + |z|^2; l2: the norm itself.
 *
 * @returns float32 [target rows, source rows].
 */
export async function assignmentCosts(
  kind: CostKind,
  { source, target, elements }: PairRows,
  products: DotProducts,
): Promise<Float32Array> {
  const costs = await products(target, source, elements);
  if (kind === 'squared') {
    for (let i = 0; i < costs.length; i++) costs[i]! *= -2;
    return costs;
  }
  const [rows, columns] = [squaredNorms(target, elements), squaredNorms(source, elements)];
  for (let row = 0, i = 0; row < rows.length; row++) {
    for (let column = 0; column < columns.length; column++, i++) {
      // Rounding of the product can make the square of a small distance negative.
      costs[i] = Math.sqrt(Math.max(0, rows[row]! + columns[column]! - 2 * costs[i]!));
    }
  }
  return costs;
}
