/** Tracing: running an ordinary function once on placeholders to get its graph. */
import { closeGraph, type Graph } from './graph.ts';
import type { Shape } from './shape.ts';
import { placeholder, type Tensor, type TensorType } from './tensor.ts';
import { flattenTree, mapTree, type Tree } from './tree.ts';

export type TensorTree = Tree<Tensor>;
export type TypeTree = Tree<TensorType>;

/** The tree of placeholders for a tree of types. */
export type Placeholders<T> = T extends TensorType ? Tensor : { readonly [K in keyof T]: Placeholders<T[K]> };

/** Whether a value is the type of a tensor (a tensor is one, too). */
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

/** Leaves with their names in a graph; a tree that is a single tensor has no path, so it gets the name given. */
function named(tree: TensorTree, single: string): [string, Tensor][] {
  return isTensor(tree) ? [[single, tree]] : flattenTree<Tensor>(tree, isTensor);
}

/**
 * Graph of a pure function of trees of tensors. Inputs and outputs are named by their paths in the trees; a single tensor in
 * place of a tree is named `input` or `output`.
 * @param types  tree of the inputs' types.
 * @throws ShapeError if the function applies an operation to shapes or dtypes that do not fit, uses a tensor of another trace,
 *   or returns something that is not a tree of tensors.
 */
export function trace<T extends TypeTree>(f: (inputs: Placeholders<T>) => TensorTree, types: T): Graph {
  // The compiler cannot follow the recursion of T through mapTree: both casts say that the tree keeps its form.
  const inputs: TensorTree = mapTree<TensorType, Tensor>(types as unknown as TypeTree, isTensorType, (_path, type) =>
    placeholder(type),
  );
  const outputs = f(inputs as unknown as Placeholders<T>);
  return closeGraph(named(inputs, 'input'), named(outputs, 'output'));
}
