/**
 * Graphs for batches of every size. Graphs of the engine have fixed shapes; what depends on the batch shows when the same function is
 * emitted for two sizes: shapes of inputs and outputs, and constants of int64 that hold sizes. Those become functions of the batch.
 */
import { elementsOf } from '../tensor.ts';
import type { OnnxGraph, OnnxInitializer, OnnxNode, OnnxValueInfo } from './model-proto.ts';

/** A graph emitted for a batch of a size. */
export interface SizedGraph {
  readonly graph: OnnxGraph;
  readonly batch: number;
}

/** Numbers base + slope · batch. */
interface Sizes {
  readonly name: string;
  readonly base: readonly number[];
  readonly slope: readonly number[];
}

/** Names of values that hold the batch's size; what the emitter names begins with `v` or `c`. */
const SIZE = 'batch_size';
const INFERRED = '_inferred';

function sameNode(a: OnnxNode, b: OnnxNode): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sameBytes(a: OnnxInitializer, b: OnnxInitializer): boolean {
  const bytes = ({ data }: OnnxInitializer) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return `${a.shape}` === `${b.shape}` && (a.data === b.data || bytes(a).equals(bytes(b)));
}

/** A list of sizes as a function of the batch; null if the constants are something else. */
function sizesOf(a: OnnxInitializer, b: OnnxInitializer, batches: readonly [number, number]): Sizes | null {
  if (!(a.data instanceof BigInt64Array && b.data instanceof BigInt64Array)) return null;
  if (a.shape.length !== 1 || a.data.length !== b.data.length) return null;
  const [first, second] = [Array.from(a.data, Number), Array.from(b.data, Number)];
  const slope = first.map((value, i) => (second[i]! - value) / (batches[1] - batches[0]));
  const base = first.map((value, i) => value - slope[i]! * batches[0]);
  return slope.every(Number.isInteger) ? { name: a.name, base, slope } : null;
}

/** A shape for Reshape with its one open size left to be inferred; null if that cannot be. */
function inferredShape({ name, base, slope }: Sizes): OnnxInitializer | null {
  const open = slope.flatMap((factor, axis) => (factor === 0 ? [] : [axis]));
  if (open.length !== 1 || base[open[0]!] !== 0) return null;
  if (base.some((size, axis) => size <= 0 && axis !== open[0])) return null;
  const shape = base.map((size, axis) => (axis === open[0] ? -1 : size));
  return { name: `${name}${INFERRED}`, dtype: 'int64', shape: [shape.length], data: elementsOf('int64', shape) };
}

function node(opType: string, inputs: readonly string[], output: string): OnnxNode {
  return { opType, domain: '', name: `batch/${output}`, inputs, outputs: [output], attributes: [] };
}

function constant(name: string, values: readonly number[]): OnnxInitializer {
  return { name, dtype: 'int64', shape: [values.length], data: elementsOf('int64', values) };
}

/** Nodes with the inferred shapes where they reshape, those shapes, and the sizes that something else still reads. */
function withInferredShapes(nodes: readonly OnnxNode[], sizes: readonly Sizes[]) {
  const inferred = new Map(sizes.map((one) => [one.name, inferredShape(one)]));
  const changed = nodes.map((one) => {
    const shape = one.opType === 'Reshape' ? (inferred.get(one.inputs[1] ?? '') ?? null) : null;
    return shape === null ? one : { ...one, inputs: [one.inputs[0]!, shape.name] };
  });
  const read = new Set(changed.flatMap(({ inputs }) => inputs));
  return {
    nodes: changed,
    shapes: [...inferred.values()].filter((shape) => shape !== null && read.has(shape.name)) as OnnxInitializer[],
    remaining: sizes.filter(({ name }) => read.has(name)),
  };
}

/** Nodes that compute sizes from the first input's first axis. */
function sizeNodes(sizes: readonly Sizes[], input: string): { nodes: OnnxNode[]; initializers: OnnxInitializer[] } {
  if (sizes.length === 0) return { nodes: [], initializers: [] };
  const shape = { ...node('Shape', [input], SIZE), attributes: [{ name: 'end', int: 1 }] };
  return {
    nodes: [
      shape,
      ...sizes.flatMap(({ name }) => [
        node('Mul', [SIZE, `${name}_slope`], `${name}_scaled`),
        node('Add', [`${name}_scaled`, `${name}_base`], name),
      ]),
    ],
    initializers: sizes.flatMap(({ name, base, slope }) => [
      constant(`${name}_slope`, slope),
      constant(`${name}_base`, base),
    ]),
  };
}

/** A port with the name `batch` for its first axis; null if another axis changes, too. */
function openPort(a: OnnxGraph['inputs'][number], b: OnnxGraph['inputs'][number]): OnnxValueInfo | null {
  const { shape } = a;
  if (`${shape.slice(1)}` !== `${b.shape.slice(1)}` || shape.length !== b.shape.length) return null;
  return shape[0] === b.shape[0] ? a : { ...a, shape: ['batch', ...shape.slice(1)] };
}

/**
 * One graph for batches of every size, from the same function emitted for two of them. The sizes should be large primes, so that no
 * size of the batch is taken for another number, and no other for a batch's.
 * @returns null if the batch shows elsewhere than in shapes: such a function needs a graph for each size.
 */
export function withOpenBatch(first: SizedGraph, second: SizedGraph): OnnxGraph<OnnxValueInfo> | null {
  const [a, b] = [first.graph, second.graph];
  const isAlike = a.nodes.length === b.nodes.length && a.nodes.every((one, i) => sameNode(one, b.nodes[i]!));
  if (!isAlike || a.initializers.length !== b.initializers.length) return null;
  const pairs = a.initializers.map((one, i) => [one, b.initializers[i]!] as const);
  const differing = pairs.filter(([one, other]) => !sameBytes(one, other));
  const sizes = differing.map(([one, other]) => sizesOf(one, other, [first.batch, second.batch]));
  const inputs = a.inputs.map((port, i) => openPort(port, b.inputs[i]!));
  const outputs = a.outputs.map((port, i) => openPort(port, b.outputs[i]!));
  const open = inputs.find((port) => port?.shape?.[0] === 'batch');
  if ([...sizes, ...inputs, ...outputs].includes(null) || open === undefined || open === null) return null;
  const { nodes, shapes, remaining } = withInferredShapes(a.nodes, sizes as Sizes[]);
  const computed = sizeNodes(remaining, open.name);
  const fixed = new Set(differing.map(([{ name }]) => name));
  return {
    name: a.name,
    inputs: inputs as OnnxValueInfo[],
    outputs: outputs as OnnxValueInfo[],
    nodes: [...computed.nodes, ...nodes],
    initializers: [...a.initializers.filter(({ name }) => !fixed.has(name)), ...shapes, ...computed.initializers],
  };
}
