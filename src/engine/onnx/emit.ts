/** Graphs to ONNX models, through each primitive's lowering for the provider. */
import type { DType, HostArray } from '../dtype.ts';
import type { Graph } from '../graph.ts';
import type { OnnxModel, Provider, TensorSpec } from '../runtime.ts';
import { elementsOf } from '../tensor.ts';
import type { EmitOptions, Emitter, OnnxAttributeValue } from './lowering.ts';
import { encodeModel, type OnnxAttribute, type OnnxInitializer, type OnnxNode } from './model-proto.ts';

function attribute(name: string, value: OnnxAttributeValue): OnnxAttribute {
  if (typeof value === 'string') return { name, string: value };
  if ('int' in value) return { name, int: value.int };
  if ('float' in value) return { name, float: value.float };
  if (value.every((item) => typeof item === 'number')) return { name, ints: value as readonly number[] };
  return { name, strings: value as readonly string[] };
}

/** Collects nodes and constants while a graph is emitted. */
class GraphEmitter implements Emitter {
  readonly provider: Provider;
  readonly collected: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #constants = new Map<string, string>();
  /** Name of the call being lowered: nodes carry it, so that errors and profiles name it. */
  scope = '';

  constructor(provider: Provider) {
    this.provider = provider;
  }

  node(opType: string, inputs: readonly string[], options: EmitOptions = {}): string {
    return this.nodes(opType, inputs, { ...options, outputs: options.outputs ?? 1 })[0];
  }

  nodes(
    opType: string,
    inputs: readonly string[],
    { attributes = {}, domain, outputs }: EmitOptions & { readonly outputs: number },
  ): string[] {
    const id = this.collected.length;
    const names = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? `v${id}` : `v${id}_${i}`));
    this.collected.push({
      opType,
      domain: domain ?? '',
      name: `${this.scope}/${opType}_${id}`,
      inputs,
      outputs: names,
      attributes: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return names;
  }

  constant(dtype: DType, shape: readonly number[], data: HostArray): string {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const key = `${dtype}[${shape.join(',')}]${bytes.toString('base64')}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = `c${this.initializers.length}`;
      this.#constants.set(key, name);
      this.initializers.push({ name, dtype, shape, data });
    }
    return name;
  }

  ints(values: readonly number[]): string {
    return this.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  scalar(dtype: DType, value: number): string {
    return this.constant(dtype, [], elementsOf(dtype, [value]));
  }

  graph(graph: Graph, inputs: readonly string[]): string[] {
    const names = new Array<string>(graph.values.length);
    for (const [index, { value }] of graph.inputs.entries()) names[value] = inputs[index];
    const outer = this.scope;
    for (const [index, { primitive, attributes, inputs: from, outputs: to }] of graph.calls.entries()) {
      this.scope = `${outer}${outer === '' ? '' : '/'}${primitive.name}_${index}`;
      const results = (primitive.lowering[this.provider] ?? primitive.lowering.default)(this, {
        inputs: from.map((value) => names[value]),
        inputTypes: from.map((value) => graph.values[value]),
        outputTypes: to.map((value) => graph.values[value]),
        attributes,
      });
      for (const [output, value] of to.entries()) names[value] = results[output];
    }
    this.scope = outer;
    return graph.outputs.map(({ value }) => names[value]);
  }
}

function spec(graph: Graph, name: string, value: number): TensorSpec {
  return { name, dtype: graph.values[value].dtype, shape: graph.values[value].shape };
}

/** ONNX Runtime's optimisers that a graph must be kept from. */
function harmfulOptimizers(graph: Graph): string[] {
  const harmful: string[] = [];
  // It would merge recomputed values with the originals.
  if (graph.calls.some(({ primitive }) => primitive.name === 'barrier')) harmful.push('CommonSubexpressionElimination');
  // It makes a float64 x sigmoid(x) into an operator that exists in float32 only.
  if (graph.values.some(({ dtype }) => dtype === 'float64')) harmful.push('QuickGeluFusion');
  return harmful;
}

export interface EmitModelOptions {
  /** Default `cpu`. */
  readonly provider?: Provider;
  readonly name?: string;
}

/**
 * The graph as an ONNX model whose inputs and outputs keep their names. Every output is a value of its own: where the graph
 * hands out an input, a constant or one value twice, a copy is emitted.
 */
export function emitModel(graph: Graph, { provider = 'cpu', name = 'flowloom' }: EmitModelOptions = {}): OnnxModel {
  const emitter = new GraphEmitter(provider);
  const inputs = graph.inputs.map((port) => spec(graph, port.name, port.value));
  const results = emitter.graph(
    graph,
    inputs.map((input) => input.name),
  );
  const outputs = graph.outputs.map((port) => spec(graph, port.name, port.value));
  emitter.scope = 'output';
  const renamed = new Map<string, string>();
  const produced = new Set(emitter.collected.flatMap((node) => node.outputs));
  for (const [index, { name: wanted }] of outputs.entries()) {
    const result = results[index];
    if (produced.has(result) && !renamed.has(result)) renamed.set(result, wanted);
    else
      emitter.collected.push({
        opType: 'Identity',
        domain: '',
        name: `output/${wanted}`,
        inputs: [result],
        outputs: [wanted],
        attributes: [],
      });
  }
  const rename = (value: string) => renamed.get(value) ?? value;
  const nodes = emitter.collected.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const bytes = encodeModel({ name, nodes, inputs, outputs, initializers: emitter.initializers });
  return { bytes, inputs, outputs, disabledOptimizers: harmfulOptimizers(graph) };
}
