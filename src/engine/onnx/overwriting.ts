/** Which outputs of a graph may be written into the memory of its inputs. */
import type { OnnxNode } from './model-proto.ts';

/** Operators whose element i depends on element i of operands of the same shape alone. */
const elementwise: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** Whether an output may have the memory of an input. */
export type MayOverwrite = (output: string, input: string) => boolean;

/** A set of nodes for each node: those that must run before it. One row of bits a node. */
function ancestorsOf(nodes: readonly OnnxNode[], makers: ReadonlyMap<string, number>) {
  const words = Math.ceil(nodes.length / 32);
  const bits = new Uint32Array(nodes.length * words);
  for (const [node, { inputs }] of nodes.entries()) {
    const row = bits.subarray(node * words, (node + 1) * words);
    for (const name of inputs) {
      const maker = makers.get(name);
      if (maker === undefined) continue;
      const before = bits.subarray(maker * words, (maker + 1) * words);
      for (let word = 0; word < words; word++) row[word]! |= before[word]!;
      row[maker >>> 5]! |= 1 << (maker & 31);
    }
  }
  return (node: number, ancestor: number) => ((bits[node * words + (ancestor >>> 5)]! >>> (ancestor & 31)) & 1) === 1;
}

/**
 * The outputs of a graph that may overwrite inputs. A runtime chooses any order of nodes in which each follows those whose results it
 * needs. So the input is never read too late if every node that reads it is needed by the node that makes the output, or is that node
 * itself and computes element by element.
 * @param nodes  in topological order. Where one has a graph of its own, nothing may be overwritten: that may read anything.
 */
export function overwriting(nodes: readonly OnnxNode[]): MayOverwrite {
  if (nodes.some(({ attributes }) => attributes.some((attribute) => 'graph' in attribute))) return () => false;
  const makers = new Map(nodes.flatMap(({ outputs }, node) => outputs.map((name) => [name, node] as const)));
  const readers = new Map<string, number[]>();
  for (const [node, { inputs }] of nodes.entries()) {
    for (const name of inputs) if (!makers.has(name)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  let isBefore: ReturnType<typeof ancestorsOf> | null = null;
  return (output, input) => {
    const maker = makers.get(output);
    if (maker === undefined) return false;
    isBefore ??= ancestorsOf(nodes, makers);
    const before = isBefore;
    const { opType, domain } = nodes[maker]!;
    const inPlace = elementwise.has(opType) && domain === '';
    return (readers.get(input) ?? []).every((reader) => (reader === maker ? inPlace : before(maker, reader)));
  };
}
