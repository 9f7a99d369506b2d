/** Trees: nested records whose leaves are tensors (or anything else), addressed by dotted paths such as `blocks.0.weight`. */
import { ShapeError } from '../errors.ts';

/** A leaf, or a record of trees. Lists are records with the keys 0, 1, ... */
export type Tree<L> = L | { readonly [key: string]: Tree<L> } | readonly Tree<L>[];

/** Children of a tree that is not a leaf. @throws ShapeError if it is not a record either. */
function childrenOf<L>(tree: Tree<L>, prefix: string): [string, Tree<L>][] {
  if (typeof tree === 'object' && tree !== null) return Object.entries(tree);
  throw new ShapeError({
    expected: 'a tensor or a record of tensors',
    got: `${typeof tree === 'function' ? 'a function' : String(tree)} at "${prefix}"`,
    where: 'engine/tree',
  });
}

function join(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix}.${key}`;
}

/**
 * Leaves with their paths, in the order of the record's keys. The path of a tree that is a leaf itself is "".
 * @throws ShapeError if something else than records and leaves is in the tree.
 */
export function flattenTree<L>(tree: Tree<L>, isLeaf: (value: unknown) => value is L, prefix = ''): [string, L][] {
  if (isLeaf(tree)) return [[prefix, tree]];
  return childrenOf(tree, prefix).flatMap(([key, child]) => flattenTree(child, isLeaf, join(prefix, key)));
}

/**
 * The same tree with every leaf replaced by `replace(path, leaf)`.
 * @throws ShapeError if something else than records and leaves is in the tree.
 */
export function mapTree<L, M>(
  tree: Tree<L>,
  isLeaf: (value: unknown) => value is L,
  replace: (path: string, leaf: L) => M,
  prefix = '',
): Tree<M> {
  if (isLeaf(tree)) return replace(prefix, tree);
  const children = childrenOf(tree, prefix).map(
    ([key, child]) => [key, mapTree(child, isLeaf, replace, join(prefix, key))] as const,
  );
  return Array.isArray(tree) ? children.map(([, child]) => child) : Object.fromEntries(children);
}
