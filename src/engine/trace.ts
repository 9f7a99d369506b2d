/** Tracing: running an ordinary function once on placeholders to get its graph. */
import { closeGraph, type Graph } from './graph.ts';
import { type Shape, sameShape } from './shape.ts';
import { placeholder, type Tensor, type TensorType } from './tensor.ts';
import { flattenTree, mapTree, type Tree } from './tree.ts';

export type TensorTree = Tree<Tensor>;
export type TypeTree = Tree<TensorType>;

/** The tree of placeholders for a tree of types. */
export type Placeholders<T> = T extends TensorType ? Tensor : { readonly [K in keyof T]: Placeholders<T[K]> };

export function isTensorType(value: unknown): value is TensorType {
  return (
    typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value && Array.isArray(value.shape)
  );
}

export function isTensor(value: unknown): value is Tensor {
  return isTensorType(value) && 'call' in value;
}

/** Type of a tensor; the default dtype is float32. */
export function tensorType(shape: Shape, dtype: TensorType['dtype'] = 'float32'): TensorType {
  return { dtype, shape };
}

/**
 * Graph of a pure function of trees of tensors. Inputs and outputs are named by their paths in the trees.
 * @param types  tree of the inputs' types.
 * @throws ShapeError if the function applies an operation to shapes or dtypes that do not fit.
 */
export function trace<T extends TypeTree>(f: (inputs: Placeholders<T>) => TensorTree, types: T): Graph {
  // The compiler cannot follow the recursion of T through mapTree: both casts say that the tree keeps its form.
  const inputs: TensorTree = mapTree<TensorType, Tensor>(types as unknown as TypeTree, isTensorType, (_path, type) =>
    placeholder(type),
  );
  const outputs = f(inputs as unknown as Placeholders<T>);
  return closeGraph(flattenTree<Tensor>(inputs, isTensor), flattenTree<Tensor>(outputs, isTensor));
}

/** Whether two tensors have the same dtype and shape. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}
