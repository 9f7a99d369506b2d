/** Optimisers: pure rules from (parameter, gradient, slots) to the next (parameter, slots). */
import type { Tensor } from '../engine/tensor.ts';

/** Named scalars that change from update to update; they enter the graph as inputs, computed on the host in float64. */
export type Scalars = Readonly<Record<string, number>>;

export interface UpdateContext {
  /** Number of this update, from 1. */
  readonly update: number;
  readonly learningRate: number;
}

export interface OptimizedParameter {
  readonly parameter: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
}

export interface Optimizer {
  readonly kind: string;
  /** Names of the tensors kept for every parameter, each shaped like it and zero at the start. */
  readonly slots: readonly string[];
  /** Names of what `scalars` returns. */
  readonly scalarNames: readonly string[];
  scalars(context: UpdateContext): Scalars;
  update(
    current: OptimizedParameter & { readonly gradient: Tensor },
    scalars: Readonly<Record<string, Tensor>>,
  ): OptimizedParameter;
}
