/** Dot products of all rows of one matrix with all rows of another: the part of transport costs that takes time. */

/**
 * Computes a b^T.
 * @param a         float32 [rows, elements].
 * @param b         float32 [columns, elements].
 * @param elements  numbers in a row.
 * @returns float32 [rows, columns].
 */
export type DotProducts = (a: Float32Array, b: Float32Array, elements: number) => Promise<Float32Array>;

/** `DotProducts` in plain JavaScript with float64 sums: exact to float32 rounding, for small problems and as a reference. */
export const hostDotProducts: DotProducts = (a, b, elements) => {
  const [rows, columns] = [a.length / elements, b.length / elements];
  const products = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let i = 0; i < elements; i++) sum += a[row * elements + i]! * b[column * elements + i]!;
      products[row * columns + column] = sum;
    }
  }
  return Promise.resolve(products);
};
