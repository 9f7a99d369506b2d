/** Graphs as text, one line a call, and back. Equal graphs have equal texts, so that the text's hash names the graph. */
import { createHash } from 'node:crypto';
import { FlowError } from '../errors.ts';
import { type DType, dtypeFacts, type HostArray, hostArray } from './dtype.ts';
import type { Graph, GraphCall, GraphPort } from './graph.ts';
import type { Primitive } from './primitive.ts';
import { type Attributes, formatType, type TensorType } from './tensor.ts';

/** Arrays up to this length are printed as numbers, longer ones as base64. */
const LEGIBLE_LENGTH = 8;

const arrayTypes: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
};

function isGraph(value: object): value is Graph {
  return 'calls' in value && 'values' in value;
}

function encodeAttribute(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) {
    const array = value as HostArray;
    const legible =
      array.length <= LEGIBLE_LENGTH &&
      Array.from(array as ArrayLike<number | bigint>).every((x) => Number.isSafeInteger(Number(x)));
    return {
      $array: arrayTypes[array.constructor.name],
      data: legible
        ? Array.from(array as ArrayLike<number | bigint>, Number)
        : Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64'),
    };
  }
  return isGraph(value) ? { $graph: printGraph(value) } : value;
}

/** Attributes as JSON. */
export function formatAttributes(attributes: Attributes): string {
  return JSON.stringify(attributes, encodeAttribute);
}

/** The graph as text: inputs, calls, outputs. */
export function printGraph(graph: Graph): string {
  const typed = (value: number) => `%${value}: ${formatType(graph.values[value])}`;
  const lines = graph.inputs.map(({ name, value }) => `input ${JSON.stringify(name)} = ${typed(value)}`);
  for (const { primitive, attributes, inputs, outputs } of graph.calls) {
    const constants = Object.keys(attributes).length === 0 ? '' : ` ${formatAttributes(attributes)}`;
    const operands = inputs.map((value) => `%${value}`).join(', ');
    lines.push(`${outputs.map(typed).join(', ')} = ${primitive.name}(${operands})${constants}`);
  }
  lines.push(...graph.outputs.map(({ name, value }) => `output ${JSON.stringify(name)} = %${value}`));
  return lines.join('\n');
}

/** SHA-256 of the graph's text, hexadecimal. */
export function hashGraph(graph: Graph): string {
  return createHash('sha256').update(printGraph(graph)).digest('hex');
}

const dtypeOf = new Map(Object.entries(dtypeFacts).map(([dtype, { short }]) => [short, dtype as DType]));

function parseType(text: string): TensorType {
  const match = /^(\w+)\[([\d,]*)\]$/.exec(text);
  const dtype = match === null ? undefined : dtypeOf.get(match[1]);
  if (match === null || dtype === undefined)
    throw new FlowError({ expected: 'a type such as f32[2,3]', got: text, where: 'engine/graph-text' });
  return { dtype, shape: match[2] === '' ? [] : match[2].split(',').map(Number) };
}

function decodeArray(dtype: DType, data: string | readonly number[]): HostArray {
  if (typeof data === 'string') {
    const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
    return hostArray(dtype, bytes.length / dtypeFacts[dtype].bytes, bytes.buffer);
  }
  const array = hostArray(dtype, data.length);
  for (const [i, value] of data.entries()) array[i] = dtype === 'int64' ? BigInt(value) : value;
  return array;
}

type PrimitiveLookup = (name: string) => Primitive;

function parseAttributes(text: string, lookup: PrimitiveLookup): Attributes {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$number' in value) return Number(value.$number);
    if ('$array' in value)
      return decodeArray(value.$array as DType, (value as unknown as { readonly data: string | number[] }).data);
    return '$graph' in value ? parseGraph(String(value.$graph), lookup) : value;
  }) as Attributes;
}

/**
 * The graph that `printGraph` wrote.
 * @param lookup  primitive of a name, e.g. `primitiveNamed`.
 * @throws FlowError naming the first line that is not of the format.
 */
export function parseGraph(text: string, lookup: PrimitiveLookup): Graph {
  const values: TensorType[] = [];
  const inputs: GraphPort[] = [];
  const outputs: GraphPort[] = [];
  const calls: GraphCall[] = [];
  const define = (typed: string): number => {
    const [, value, type] = /^%(\d+): (\S+)$/.exec(typed) ?? ['', '-1', ''];
    values[Number(value)] = parseType(type);
    return Number(value);
  };
  for (const line of text.split('\n')) {
    const port = /^(input|output) ("(?:[^"\\]|\\.)*") = (%\d+.*)$/.exec(line);
    const call = /^(%.*?) = (\w+)\(([%\d, ]*)\)(?: (\{.*\}))?$/.exec(line);
    if (port !== null) {
      const name = JSON.parse(port[2]) as string;
      if (port[1] === 'input') inputs.push({ name, value: define(port[3]) });
      else outputs.push({ name, value: Number(port[3].slice(1)) });
    } else if (call !== null) {
      const from = call[3] === '' ? [] : call[3].split(', ').map((name) => Number(name.slice(1)));
      const to = call[1].split(/, (?=%)/).map(define);
      const attributes = parseAttributes(call[4] ?? '{}', lookup);
      calls.push({ primitive: lookup(call[2]), attributes, inputs: from, outputs: to });
    } else {
      throw new FlowError({
        expected: 'a line that defines an input, a call or an output',
        got: line,
        where: 'engine/graph-text parseGraph',
      });
    }
  }
  return { values, inputs, calls, outputs };
}
