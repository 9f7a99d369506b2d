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

/** What a coupling did to a batch; costs are means over its rows, in latent units as the coupling's cost counts. */
export interface PairingReport {
  readonly rows: number;
  /** Rows that got another noise than they came with. */
  readonly reassigned: number;
  /** Transport cost per pair before anything was reassigned. */
  readonly costBefore: number;
  /** Transport cost per pair of the pairing. */
  readonly cost: number;
}

/** Noise and data side by side; row i of every field belongs to row i of the target. */
export interface Pairing {
  /** float32 [batch, ...dims]: the normals of `seeds`. */
  readonly source: Float32Array;
  /** float32 [batch, ...dims]: the batch's own rows, or others where the coupling chooses the data. */
  readonly target: Float32Array;
  readonly labels: Int32Array;
  /** Noise seed of each row. */
  readonly seeds: Uint32Array;
  /** Transport cost of each row, where the coupling computes it. */
  readonly cost: Float64Array | null;
  readonly report: PairingReport | null;
  /** Makes the pairing's change part of `state`; called when the last step with the pairing begins, pairings in their order. */
  readonly commit?: () => void;
}

/** Chi-squared divergence n sum_i p_i^2 - 1 of the shares p_i of n data from equal ones, estimated. */
export interface ChiSquared {
  readonly value: number;
  readonly standardError: number;
}

/** Mean transport cost over everything that a coupling keeps. */
export interface WholeCost {
  readonly cost: number;
  /** 0 where all pairs were counted. */
  readonly standardError: number;
  readonly pairs: number;
  /** How unequal the shares of noises are that the data get, where the coupling does not make them equal. */
  readonly chiSquared?: ChiSquared;
}

/** Noises that a coupling keeps, and the datum that each is paired with at present. */
export interface KeptPairs {
  /** Seed of each pair's noise: uint32 [pairs]. */
  readonly seeds: Uint32Array;
  /** Number of each pair's datum, and 1 where it is mirrored: [pairs]. */
  readonly rows: Uint32Array;
  readonly flipped: Uint8Array;
}

/** Work on a coupling that comes before the first step of the network. */
export interface Preliminary {
  /** Images paired, or noises seen: wanted in all. */
  readonly total: number;
  /** Done so far; part of the coupling's state. */
  readonly done: number;
  /**
   * Does some more of the work.
   * @param next  the next batch of the data in their order; the first call of all starts at the beginning, or at image `done`.
   */
  advance(next: () => Promise<CouplingBatch>): Promise<PairingReport | null>;
}

export interface Coupling {
  readonly kind: string;
  /** Images of the data order that the preliminary work uses up; training goes on behind them. Absent: none. */
  readonly preliminaryImages?: number;
  readonly preliminary?: Preliminary;
  /** Pairs a batch. Calls do not overlap; each sees the changes of all before it, whether committed or not. */
  pair(batch: CouplingBatch, context: CouplingContext): Promise<Pairing>;
  /** What a checkpoint must hold for the pairing to go on as if uninterrupted: everything up to the last committed pairing. */
  state(): NamedArrays;
  /** @throws CheckpointError if the state is not this coupling's. */
  restore(state: NamedArrays): void;
  /** Transport cost of what the coupling keeps, exact or by a fixed sample; absent where nothing is kept. */
  wholeCost?(): Promise<WholeCost>;
  /** All pairs that are kept, as of the last committed pairing; absent where nothing is kept. */
  kept?(): KeptPairs;
}
