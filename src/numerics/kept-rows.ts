/** Rows of a matrix that are read block by block, and so may be more than fit into memory. */
export interface KeptRows {
  readonly count: number;
  /** Numbers in a row. */
  readonly elements: number;
  /** Rows `first`, ..., `first + rows - 1`: float32 [rows, elements]. */
  read(first: number, rows: number): Promise<Float32Array>;
}
