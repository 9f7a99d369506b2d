/** Graphs as text, one line a call, and back. Equal graphs have equal texts. */
import { createHash } from 'node:crypto';
import { FlowError } from '../errors.ts';
import { type DType, dtypeFacts, type HostArray, hostArray, hostArrayKey } from './dtype.ts';
import type { Graph, GraphCall, GraphPort } from './graph.ts';
import type { Primitive } from './primitive.ts';
import { type Attributes, elementsOf, formatType, sameType, type TensorType } from './tensor.ts';

/** Arrays up to this length are printed as numbers, longer ones as base64. */
const LEGIBLE_LENGTH = 8;

const arrayTypes: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
};

/** Numbers that JSON has no notation for. */
const unusualNumbers: ReadonlyMap<string, number> = new Map(
  [NaN, Infinity, -Infinity, -0].map((value) => [Object.is(value, -0) ? '-0' : String(value), value]),
);

/** Whether an attribute is a graph: the body of a call. */
export function isGraph(value: unknown): value is Graph {
  return typeof value === 'object' && value !== null && 'calls' in value && 'values' in value;
}

function isLegible(array: HostArray): boolean {
  if (array.length > LEGIBLE_LENGTH) return false;
  if (array instanceof BigInt64Array) return array.every((x) => Number.isSafeInteger(Number(x)));
  return Array.from(array).every((x) => Number.isFinite(x) && !Object.is(x, -0));
}

/** A host array as JSON that `decodeArray` reads. */
function encodeArray(array: HostArray): object {
  const data = isLegible(array)
    ? Array.from(array as ArrayLike<number | bigint>, Number)
    : Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
  return { $array: arrayTypes[array.constructor.name], data };
}

/** How the elements of constants are written: in full, or as a short key where texts are only compared. */
type ArrayEncoder = (array: HostArray) => unknown;

function formatAttributes(attributes: Attributes, encode: ArrayEncoder): string {
  return JSON.stringify(attributes, (_key, value: unknown) => {
    if (typeof value === 'number') {
      if (Object.is(value, -0)) return { $number: '-0' };
      return Number.isFinite(value) ? value : { $number: String(value) };
    }
    // Host arrays are the only views among attributes.
    if (ArrayBuffer.isView(value)) return encode(value as HostArray);
    return isGraph(value) ? { $graph: formatGraph(value, encode) } : value;
  });
}

/** Text that is equal for the attributes of two calls exactly when they are equal; short however large the constants are. */
export function attributesKey(attributes: Attributes): string {
  return formatAttributes(attributes, hostArrayKey);
}

function formatCall({ primitive, attributes, inputs, outputs }: GraphCall, graph: Graph, encode: ArrayEncoder): string {
  const results = outputs.map((value) => `%${value}: ${formatType(graph.values[value])}`).join(', ');
  const operands = inputs.map((value) => `%${value}`).join(', ');
  const constants = Object.keys(attributes).length === 0 ? '' : ` ${formatAttributes(attributes, encode)}`;
  return `${results} = ${primitive.name}(${operands})${constants}`;
}

function formatGraph(graph: Graph, encode: ArrayEncoder): string {
  return [
    ...graph.inputs.map(
      ({ name, value }) => `input ${JSON.stringify(name)} = %${value}: ${formatType(graph.values[value])}`,
    ),
    ...graph.calls.map((call) => formatCall(call, graph, encode)),
    ...graph.outputs.map(({ name, value }) => `output ${JSON.stringify(name)} = %${value}`),
  ].join('\n');
}

/** One call of a graph as its line in the text. */
export function printCall(call: GraphCall, graph: Graph): string {
  return formatCall(call, graph, encodeArray);
}

/** The graph as text: inputs, calls, outputs. `parseGraph` reads it. */
export function printGraph(graph: Graph): string {
  return formatGraph(graph, encodeArray);
}

/** SHA-256 that names the graph, hexadecimal: of its text, with hashes in place of long constants. */
export function hashGraph(graph: Graph): string {
  return createHash('sha256').update(formatGraph(graph, hostArrayKey)).digest('hex');
}

const dtypeOf = new Map(Object.entries(dtypeFacts).map(([dtype, { short }]) => [short, dtype as DType]));

function malformed(expected: string, got: string): FlowError {
  return new FlowError({ expected, got, where: 'engine/graph-text parseGraph' });
}

function parseType(text: string): TensorType {
  const match = /^(\w+)\[((?:\d+(?:,\d+)*)?)\]$/.exec(text);
  const dtype = match === null ? undefined : dtypeOf.get(match[1]);
  if (match === null || dtype === undefined) throw malformed('a type such as f32[2,3]', text);
  return { dtype, shape: match[2] === '' ? [] : match[2].split(',').map(Number) };
}

function decodeArray(name: unknown, data: unknown): HostArray {
  const dtype = Object.values(arrayTypes).find((known) => known === name);
  if (dtype === undefined) throw malformed('a dtype of `$array`', String(name));
  if (Array.isArray(data) && data.every((item) => typeof item === 'number')) return elementsOf(dtype, data);
  if (typeof data !== 'string') throw malformed('`data` of `$array` to be numbers or base64', typeof data);
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  const length = bytes.length / dtypeFacts[dtype].bytes;
  if (!Number.isInteger(length)) throw malformed(`\`data\` to be whole elements of ${dtype}`, `${bytes.length} bytes`);
  return hostArray(dtype, length, bytes.buffer);
}

function decodeNumber(text: unknown): number {
  const value = unusualNumbers.get(String(text));
  if (value === undefined) throw malformed(`\`$number\` among ${[...unusualNumbers.keys()].join(', ')}`, String(text));
  return value;
}

type PrimitiveLookup = (name: string) => Primitive;

function parseAttributes(text: string, lookup: PrimitiveLookup): Attributes {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$number' in value) return decodeNumber(value.$number);
    if ('$array' in value) return decodeArray(value.$array, 'data' in value ? value.data : null);
    return '$graph' in value ? parseGraph(String(value.$graph), lookup) : value;
  }) as Attributes;
}

/** A graph while its text is read. */
interface GraphDraft {
  readonly values: TensorType[];
  readonly inputs: GraphPort[];
  readonly calls: GraphCall[];
  readonly outputs: GraphPort[];
}

/** The value that `%n: type` defines; values are numbered in the order of their definitions. */
function define({ values }: GraphDraft, text: string): number {
  const [, value, type] = /^%(\d+): (\S+)$/.exec(text) ?? ['', '', ''];
  if (value !== String(values.length)) throw malformed(`a definition of %${values.length}`, text);
  return values.push(parseType(type)) - 1;
}

/** The value, defined before, that `%n` names. */
function known({ values }: GraphDraft, text: string): number {
  const value = /^%\d+$/.test(text) ? Number(text.slice(1)) : -1;
  if (values[value] === undefined) throw malformed('a value defined above', text);
  return value;
}

function parsePort(draft: GraphDraft, [, kind, quoted, rest]: readonly string[]): void {
  const name = JSON.parse(quoted) as string;
  const ports = kind === 'input' ? draft.inputs : draft.outputs;
  if (ports.some((port) => port.name === name)) throw malformed('unique names', `${quoted} twice`);
  ports.push({ name, value: kind === 'input' ? define(draft, rest) : known(draft, rest) });
}

function parseCall(
  draft: GraphDraft,
  [, results, name, operands, constants = '{}']: readonly string[],
  lookup: PrimitiveLookup,
): void {
  const primitive = lookup(name);
  const attributes = parseAttributes(constants, lookup);
  const inputs = operands === '' ? [] : operands.split(', ').map((operand) => known(draft, operand));
  const types = primitive.outputTypes(
    inputs.map((value) => draft.values[value]),
    attributes,
  );
  const outputs = results.split(/, (?=%)/).map((result) => define(draft, result));
  const given = outputs.map((value) => draft.values[value]);
  if (given.length !== types.length || !types.every((type, i) => sameType(type, given[i])))
    throw malformed(`results ${types.map(formatType).join(', ')}`, given.map(formatType).join(', '));
  draft.calls.push({ primitive, attributes, inputs, outputs });
}

function parseLine(draft: GraphDraft, line: string, lookup: PrimitiveLookup): void {
  const port = /^(input|output) ("(?:[^"\\]|\\.)*") = (%\d+.*)$/.exec(line);
  const call = /^(%[^=]*) = (\w+)\(([%\d, ]*)\)(?: (\{.*\}))?$/.exec(line);
  if (port !== null) parsePort(draft, port);
  else if (call !== null) parseCall(draft, call, lookup);
  else throw malformed('a line that defines an input, a call or an output', line);
}

/**
 * The graph that `printGraph` wrote, its types checked.
 * @param lookup  primitive of a name, e.g. `primitiveNamed`.
 * @throws FlowError naming the first line that is not of the format or does not fit the lines above it.
 */
export function parseGraph(text: string, lookup: PrimitiveLookup): Graph {
  const draft: GraphDraft = { values: [], inputs: [], calls: [], outputs: [] };
  for (const [index, line] of text.split('\n').entries()) {
    try {
      parseLine(draft, line, lookup);
    } catch (cause) {
      // Attributes of the wrong form make a primitive's shape rule fail in any way.
      const reason = cause instanceof Error ? cause.message : String(cause);
      const excerpt = line.length > 200 ? `${line.slice(0, 200)}...` : line;
      throw new FlowError({
        expected: `line ${index + 1} to be of the format and to fit the lines above it`,
        got: `\`${excerpt}\` (${reason})`,
        where: 'engine/graph-text parseGraph',
        cause,
      });
    }
  }
  return draft;
}
