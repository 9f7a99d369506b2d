/** Products of float64 matrices: the part of covariances, factors and kernels that takes time. */

/**
 * Computes a b^T in float64.
 * @param a         float64 [rows, elements].
 * @param b         float64 [columns, elements].
 * @param elements  numbers in a row.
 * @returns float64 [rows, columns], the caller's to change.
 */
export type DoubleProducts = (a: Float64Array, b: Float64Array, elements: number) => Promise<Float64Array>;

/** Rows of a and of b whose 16 products are summed at once, in registers. */
const tile = 4;

/** The sums of up to 4 x 4 products at (row, column); rows and columns that do not exist are those of the last one again. */
function sumTile(
  { a, b, elements }: { readonly a: Float64Array; readonly b: Float64Array; readonly elements: number },
  starts: { readonly rows: Int32Array; readonly columns: Int32Array },
  sums: Float64Array,
): void {
  let a0 = starts.rows[0]!;
  let a1 = starts.rows[1]!;
  let a2 = starts.rows[2]!;
  let a3 = starts.rows[3]!;
  const [b0, b1, b2, b3] = [starts.columns[0]!, starts.columns[1]!, starts.columns[2]!, starts.columns[3]!];
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [s20, s21, s22, s23, s30, s31, s32, s33] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < elements; i++) {
    const x0 = a[a0++]!;
    const x1 = a[a1++]!;
    const x2 = a[a2++]!;
    const x3 = a[a3++]!;
    const y0 = b[b0 + i]!;
    const y1 = b[b1 + i]!;
    const y2 = b[b2 + i]!;
    const y3 = b[b3 + i]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s03;
  sums[4] = s10;
  sums[5] = s11;
  sums[6] = s12;
  sums[7] = s13;
  sums[8] = s20;
  sums[9] = s21;
  sums[10] = s22;
  sums[11] = s23;
  sums[12] = s30;
  sums[13] = s31;
  sums[14] = s32;
  sums[15] = s33;
}

function setStarts(starts: Int32Array, first: number, { count, elements }: { count: number; elements: number }): void {
  for (let k = 0; k < tile; k++) starts[k] = Math.min(first + k, count - 1) * elements;
}

/** `DoubleProducts` in plain JavaScript; each sum runs over the elements in order, so it is the same whatever the other rows are. */
export const hostDoubleProducts: DoubleProducts = (a, b, elements) => {
  const [rows, columns] = elements === 0 ? [0, 0] : [a.length / elements, b.length / elements];
  const products = new Float64Array(rows * columns);
  const starts = { rows: new Int32Array(tile), columns: new Int32Array(tile) };
  const sums = new Float64Array(tile * tile);
  for (let row = 0; row < rows; row += tile) {
    setStarts(starts.rows, row, { count: rows, elements });
    for (let column = 0; column < columns; column += tile) {
      setStarts(starts.columns, column, { count: columns, elements });
      sumTile({ a, b, elements }, starts, sums);
      for (let i = 0; i < Math.min(tile, rows - row); i++) {
        for (let j = 0; j < Math.min(tile, columns - column); j++) {
          products[(row + i) * columns + column + j] = sums[tile * i + j]!;
        }
      }
    }
  }
  return Promise.resolve(products);
};
