/** A set of labelled vectors, such as points of a density in the plane. */
export interface VectorDataset {
  readonly kind: 'vectors';
  readonly name: string;
  /** Number of vectors. */
  readonly count: number;
  /** Numbers in a vector. */
  readonly features: number;
  /** float32 [count, features]. */
  readonly vectors: Float32Array;
  /** Class of each vector: int32 [count]; all 0 if there are no labels. */
  readonly labels: Int32Array;
  /** Names of the classes; null if there are no labels. */
  readonly classes: readonly string[] | null;
}
