/** Graphs of files, checked and in an order in which they can be computed. */
import { DataError } from '../../errors.ts';
import type { FileGraph, FileNode, FileTensor } from './model-record.ts';

/** A graph whose names are unique, known and without cycles. */
export interface GraphPlan {
  readonly graph: FileGraph;
  /** Nodes, each after those that it reads. */
  readonly nodes: readonly PlannedNode[];
  readonly initializers: ReadonlyMap<string, FileTensor>;
  /** Names that come from outside. */
  readonly captured: readonly string[];
}

/** A node with its graphs planned. */
export interface PlannedNode {
  readonly node: FileNode;
  /** Names of all values that it reads, those of its graphs included. */
  readonly reads: readonly string[];
  readonly bodies: ReadonlyMap<FileGraph, GraphPlan>;
}

/** A name as messages show it: short, and without control characters. */
export function shownName(name: string): string {
  return `\`${JSON.stringify(name).slice(1, -1).slice(0, 120)}\``;
}

/** What a node is called: by its name, or by its first output. */
export function nodeLabel({ name, opType, outputs }: FileNode): string {
  const of = name !== '' ? shownName(name) : `of output ${shownName(outputs[0] ?? '')}`;
  return `node ${of} (${shownName(opType).slice(1, -1)})`;
}

function graphFault(expected: string, got: string): DataError {
  return new DataError({
    expected,
    got,
    where: 'engine/onnx import',
    remedy: 'exporting or fetching the file again',
  });
}

/** Names that the graph itself defines, each once: an initialiser may be the default of an input. */
function definedNames({ inputs, initializers, nodes, sparse }: FileGraph): Map<string, number | null> {
  const producers = new Map<string, number | null>();
  const define = (name: string, producer: number | null) => {
    if (producers.has(name)) throw graphFault(`each value to be defined once`, `${shownName(name)} twice`);
    producers.set(name, producer);
  };
  for (const { name } of initializers) {
    if (name === '') throw graphFault('initialisers with names', 'one without');
    define(name, null);
  }
  for (const name of sparse) define(name, null);
  const seen = new Set<string>();
  for (const { name } of inputs) {
    if (name === '' || seen.has(name)) throw graphFault('inputs with names of their own', shownName(name));
    seen.add(name);
    if (!producers.has(name)) producers.set(name, null);
  }
  for (const [index, { outputs }] of nodes.entries()) for (const name of outputs) if (name !== '') define(name, index);
  return producers;
}

/** Positions of nodes, each after those it reads from; `null` with a node of a cycle if there is one. */
function ordered(nodes: readonly PlannedNode[], producers: ReadonlyMap<string, number | null>): number[] {
  const waiting = nodes.map(() => 0);
  const readers = nodes.map((): number[] => []);
  for (const [index, { reads }] of nodes.entries()) {
    for (const name of reads) {
      const producer = producers.get(name) ?? null;
      if (producer === null) continue;
      readers[producer].push(index);
      waiting[index] += 1;
    }
  }
  const order = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let next = 0; next < order.length; next++) {
    for (const reader of readers[order[next]]) {
      waiting[reader] -= 1;
      if (waiting[reader] === 0) order.push(reader);
    }
  }
  if (order.length < nodes.length) {
    const stuck = nodes[waiting.findIndex((count) => count > 0)];
    throw graphFault('a graph without cycles', `one through ${nodeLabel(stuck.node)}`);
  }
  return order;
}

/**
 * Checks the names of a graph and orders its nodes (files are sorted by rule, but not all of them).
 * @param known  whether a name is defined around the graph.
 * @throws DataError if a name is defined twice or not at all, or nodes read each other in a cycle.
 */
export function planGraph(graph: FileGraph, known: (name: string) => boolean = () => false): GraphPlan {
  const producers = definedNames(graph);
  const captured = new Set<string>();
  const checkRead = (name: string, by: string) => {
    if (producers.has(name)) return;
    if (!known(name)) throw graphFault(`the value ${shownName(name)}, which ${by} reads, to be defined`, 'none');
    captured.add(name);
  };
  const nodes = graph.nodes.map((node): PlannedNode => {
    const label = nodeLabel(node);
    const bodies = new Map<FileGraph, GraphPlan>();
    const reads = new Set(node.inputs.filter((name) => name !== ''));
    for (const { graph: body } of node.attributes) {
      if (body === null) continue;
      const plan = planGraph(body, (name) => producers.has(name) || known(name));
      bodies.set(body, plan);
      for (const name of plan.captured) reads.add(name);
    }
    for (const name of reads) checkRead(name, label);
    return { node, reads: [...reads], bodies };
  });
  for (const { name } of graph.outputs) checkRead(name, 'the graph as an output');
  return {
    graph,
    nodes: ordered(nodes, producers).map((index) => nodes[index]),
    initializers: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
    captured: [...captured],
  };
}

/** Nodes that the values named depend on, in order. */
export function neededNodes({ nodes }: GraphPlan, names: Iterable<string>): PlannedNode[] {
  const needed = new Set(names);
  const found: PlannedNode[] = [];
  for (let index = nodes.length - 1; index >= 0; index--) {
    const planned = nodes[index];
    if (!planned.node.outputs.some((name) => needed.has(name))) continue;
    found.push(planned);
    for (const name of planned.reads) needed.add(name);
  }
  return found.reverse();
}
