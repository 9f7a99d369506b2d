/** What a primitive is: everything that the engine knows about one operation, in one object. */
import type { Lowering } from './onnx/lowering.ts';
import type * as operations from './ops.ts';
import type { Attributes, Call, Tensor, TensorType } from './tensor.ts';

/** All operations: gradient rules get them as an argument, so that the files of primitives need not import each other. */
export type Operations = typeof operations & {
  vectorJacobianProduct(
    outputs: readonly Tensor[],
    sources: readonly Tensor[],
    cotangents: readonly Tensor[],
  ): Tensor[];
  addProducts(
    outputs: readonly Tensor[],
    sources: readonly Tensor[],
    sums: { readonly cotangents: readonly Tensor[]; readonly before: readonly (Tensor | null)[] },
  ): (Tensor | null)[];
};

/** What has come to a call when its gradient is due. */
export interface GradientSums {
  /** One an output; `null` where nothing depends on that output. */
  readonly incoming: readonly (Tensor | null)[];
  /** What has come to each input from other calls; `null` for nothing. */
  readonly before: readonly (Tensor | null)[];
  /** Whether each input's gradient is used at all; those of the others may be `null`. */
  readonly wanted: readonly boolean[];
}

/** A tensor of the reference interpreter: float64 whatever its dtype; integers and bools as whole numbers. */
export interface ReferenceTensor extends TensorType {
  readonly data: Float64Array;
}

/** How law tests draw one input. */
export interface ExampleInput {
  readonly shape: readonly number[];
  /** Bounds of the uniform draw. Default [-2, 2]. */
  readonly range?: readonly [number, number];
  /** `float` inputs are tried in float32 and float64. Default `float`. */
  readonly dtype?: 'float' | 'int32' | 'int64' | 'uint8' | 'bool';
  /** Values are evenly spaced and shuffled, so that no two are close: for functions with kinks where values tie. */
  readonly distinct?: boolean;
}

/** No attributes. */
export type None = Readonly<Record<string, never>>;

/** One call that law tests make. */
export interface Example<A extends object = Attributes> {
  readonly inputs: readonly ExampleInput[];
  readonly attributes: A;
}

/** Shapes or dtypes that a primitive must refuse. */
export interface Counterexample<A extends object = Attributes> {
  readonly inputs: readonly TensorType[];
  readonly attributes: A;
  /** Part of the message. */
  readonly message: RegExp;
}

/** One operation. Attributes are plain data, so that a call can be printed and read back. */
export interface Primitive<A extends object = Attributes> {
  readonly name: string;
  /** Types of the outputs. @throws ShapeError if inputs or attributes do not fit. */
  outputTypes(inputs: readonly TensorType[], attributes: A): readonly TensorType[];
  /**
   * Vector-Jacobian product, written in primitives so that it can be differentiated again.
   * @param cotangents  one an output; `null` where nothing depends on that output.
   * @returns one an input; `null` where the input is not differentiable.
   */
  gradient(call: Call<A>, cotangents: readonly (Tensor | null)[], ops: Operations): readonly (Tensor | null)[];
  /**
   * In place of `gradient` where the call stands for a graph: the gradients added to `before`, in the order in which those of the graph's own
   * calls would be, so that both come to the same bits.
   */
  addGradient?(call: Call<A>, sums: GradientSums, ops: Operations): readonly (Tensor | null)[];
  /** The call's outputs by other primitives, where the call stands for a graph of its own. */
  expand?(inputs: readonly Tensor[], attributes: A): readonly Tensor[];
  /** ONNX nodes for each execution provider. */
  readonly lowering: Lowering<A>;
  /** Slow reference, float64. */
  reference(
    inputs: readonly ReferenceTensor[],
    attributes: A,
    outputTypes: readonly TensorType[],
  ): readonly Float64Array[];
  /** Calls inside the input domain, for the law tests. */
  readonly examples: readonly Example<A>[];
  readonly counterexamples: readonly Counterexample<A>[];
}
