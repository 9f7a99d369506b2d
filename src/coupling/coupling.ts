/** Which noise meets which datum during training. */
/** Arrays of a coupling's state by name. */
export type NamedArrays = Readonly<Record<string, Int32Array | Uint32Array | Float64Array>>;

export interface CouplingBatch {
  /** float32 [batch, ...dims]: latents of the batch, row-major. */
  readonly target: Float32Array;
  readonly labels: Int32Array;
  /** Number of each row in its data set. */
  readonly indices: Uint32Array;
  /** 1 where the row is mirrored. */
  readonly flipped: Uint8Array;
}

export interface CouplingContext {
  /** Seed of the run. */
  readonly seed: number;
  /** Images seen before this batch; together with the seed it determines all randomness of the pairing. */
  readonly imagesSeen: number;
}

/** Noise for each row of the batch; row i of every field belongs to row i of the target. */
export interface Pairing {
  /** float32 [batch, ...dims]: the normals of `seeds`. */
  readonly source: Float32Array;
  /** Noise seed of each row. */
  readonly seeds: Uint32Array;
  /** Transport cost of each row in squared latent units, where the coupling computes it. */
  readonly cost: Float64Array | null;
  /** Makes the pairing's change to the coupling's state; called when a step with the pairing begins, before the next `pair`. */
  readonly commit?: () => void;
}

export interface Coupling {
  readonly kind: string;
  pair(batch: CouplingBatch, context: CouplingContext): Promise<Pairing>;
  /** What a checkpoint must hold for the pairing to go on as if uninterrupted. */
  state(): NamedArrays;
  /** @throws CheckpointError if the state is not this coupling's. */
  restore(state: NamedArrays): void;
}
