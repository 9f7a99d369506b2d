/** Trees: nested records whose leaves are tensors (or anything else), addressed by dotted paths such as `blocks.0.weight`. */
import { internalError } from '../errors.ts';

/** A leaf, or a record of trees. Lists are records with the keys 0, 1, ... */
export type Tree<L> = L | { readonly [key: string]: Tree<L> } | readonly Tree<L>[];

/** Leaves with their paths, in the order of the record's keys. */
export function flattenTree<L>(tree: Tree<L>, isLeaf: (value: unknown) => value is L, prefix = ''): [string, L][] {
  if (isLeaf(tree)) return [[prefix, tree]];
  if (typeof tree !== 'object' || tree === null) throw internalError(`tree has a leaf of another kind at "${prefix}"`);
  return Object.entries(tree).flatMap(([key, child]) =>
    flattenTree(child as Tree<L>, isLeaf, prefix === '' ? key : `${prefix}.${key}`),
  );
}

/** The same tree with every leaf replaced by `replace(path, leaf)`. */
export function mapTree<L, M>(
  tree: Tree<L>,
  isLeaf: (value: unknown) => value is L,
  replace: (path: string, leaf: L) => M,
  prefix = '',
): Tree<M> {
  if (isLeaf(tree)) return replace(prefix, tree);
  const children = Object.entries(tree as { readonly [key: string]: Tree<L> }).map(([key, child]) => [
    key,
    mapTree(child, isLeaf, replace, prefix === '' ? key : `${prefix}.${key}`),
  ]) as [string, Tree<M>][];
  return Array.isArray(tree) ? children.map(([, child]) => child) : Object.fromEntries(children);
}
