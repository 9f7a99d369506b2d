/** Small ONNX models for tests of runtimes. */
import type { HostDType } from '../../src/engine/dtype.ts';
import {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
  toOnnxModel,
} from '../../src/engine/onnx/model-proto.ts';
import type { OnnxModel, TensorSpec } from '../../src/engine/runtime.ts';

export function spec(name: string, shape: readonly number[] = [], dtype: HostDType = 'float32'): TensorSpec {
  return { name, dtype, shape };
}

/** A node in short notation: `node('c = MatMul(a, b)')`; its name is that of its first output. */
export function node(text: string, attributes: readonly OnnxAttribute[] = []): OnnxNode {
  const [, outputs, opType, inputs] = /^(.*) = (\w+)\((.*)\)$/.exec(text)!;
  const names = (list: string) => (list === '' ? [] : list.split(', '));
  return {
    opType: opType!,
    domain: '',
    name: names(outputs!)[0]!,
    inputs: names(inputs!),
    outputs: names(outputs!),
    attributes,
  };
}

export function graph(parts: Partial<OnnxGraph>): OnnxGraph {
  return { name: 'graph', nodes: [], inputs: [], outputs: [], initializers: [], ...parts };
}

export function model(parts: Partial<OnnxGraph>): OnnxModel {
  return toOnnxModel(graph(parts));
}

/** y = x · scale + shift, elementwise over `length` elements. */
export function affineModel(length: number): OnnxModel {
  return model({
    nodes: [node('scaled = Mul(x, scale)'), node('y = Add(scaled, shift)')],
    inputs: [spec('x', [length]), spec('scale', [length]), spec('shift', [length])],
    outputs: [spec('y', [length])],
  });
}

/** c = a · b, square. */
export function matMulModel(size: number): OnnxModel {
  return model({
    nodes: [node('c = MatMul(a, b)')],
    inputs: [spec('a', [size, size]), spec('b', [size, size])],
    outputs: [spec('c', [size, size])],
  });
}

/** y = x · weight · ... · weight, `iterations` times, in a Loop: a run as long as a test wants. `output` names y. */
export function longModel(size: number, iterations: number, output = 'y'): OnnxModel {
  const square = [size, size];
  const body = graph({
    name: 'body',
    nodes: [node('carried = MatMul(state, weight)'), node('more = Identity(condition)')],
    inputs: [spec('iteration', [], 'int64'), spec('condition', [], 'bool'), spec('state', square)],
    outputs: [spec('more', [], 'bool'), spec('carried', square)],
  });
  const count: OnnxInitializer = {
    name: 'count',
    dtype: 'int64',
    shape: [],
    data: BigInt64Array.of(BigInt(iterations)),
  };
  const always: OnnxInitializer = { name: 'always', dtype: 'bool', shape: [], data: Uint8Array.of(1) };
  return model({
    nodes: [node(`${output} = Loop(count, always, x)`, [{ name: 'body', graph: body }])],
    inputs: [spec('x', square), spec('weight', square)],
    outputs: [spec(output, square)],
    initializers: [count, always],
  });
}

/** y = table[index]; a run fails where the index lies outside of the table. */
export function gatherModel(rows: number): OnnxModel {
  return model({
    nodes: [{ ...node('y = Gather(table, index)'), name: 'look up' }],
    inputs: [spec('table', [rows]), spec('index', [1], 'int64')],
    outputs: [spec('y', [1])],
  });
}

/** Collects garbage now, and lets finalizers run. */
export async function collectGarbage(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
