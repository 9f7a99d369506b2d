/** Which constants of a file are parameters: what a trained network has learnt, and what could be trained further. */
import { dtypeFacts } from '../dtype.ts';
import { elementTypes } from './element-type.ts';
import type { FileGraph, FileNode, FileTensor } from './model-record.ts';
import { operatorOf } from './run-graph.ts';

/** Operators that only move elements: what is read behind them is read as it stands before them. */
const moving = new Set([
  'Identity',
  'Cast',
  'Concat',
  'Unsqueeze',
  'Squeeze',
  'Reshape',
  'Transpose',
  'Slice',
  'Split',
  'Gather',
  'Expand',
]);

/** All nodes of a graph and of the graphs of its nodes. */
function allNodes(graph: FileGraph): FileNode[] {
  return graph.nodes.flatMap((node) => [
    node,
    ...node.attributes.flatMap((attribute) => (attribute.graph === null ? [] : allNodes(attribute.graph))),
  ]);
}

/** Names that some node must know while tracing, through operators that move elements. */
function knownNames(nodes: readonly FileNode[]): Set<string> {
  const known = new Set<string>();
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const open = nodes.flatMap((node) => {
    const positions = operatorOf(node)?.known ?? [];
    return positions.flatMap((position) => node.inputs[position] ?? []);
  });
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (known.has(name)) continue;
    known.add(name);
    const producer = producers.get(name);
    if (producer !== undefined && moving.has(producer.opType)) open.push(...producer.inputs);
  }
  return known;
}

/**
 * The initialisers that are parameters: floats with at least one axis that a node reads, and that none must know while tracing.
 * Scalars are no parameters: in files they are exponents, limits and epsilons.
 */
export function trainableInitializers(graph: FileGraph): FileTensor[] {
  const nodes = allNodes(graph);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const known = knownNames(nodes);
  return graph.initializers.filter(({ name, elementType, shape }) => {
    const type = elementTypes.get(elementType);
    const isFloat = type !== undefined && dtypeFacts[type.dtype].isFloat;
    return isFloat && shape.length > 0 && read.has(name) && !known.has(name);
  });
}
