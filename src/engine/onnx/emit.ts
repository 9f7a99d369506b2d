/** Graphs to ONNX models, through each primitive's lowering for the provider. */
import { FlowError } from '../../errors.ts';
import { type DType, type HostArray, hostArrayKey } from '../dtype.ts';
import type { Graph, GraphPort } from '../graph.ts';
import type { OnnxModel, Provider, TensorSpec } from '../runtime.ts';
import { elementsOf } from '../tensor.ts';
import { tensorSpec } from '../tensor-spec.ts';
import { type EmitOptions, type Emitter, emitCast, type OnnxAttributeValue } from './lowering.ts';
import {
  encodeModel,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxInnerValue,
  type OnnxNode,
} from './model-proto.ts';
import { overwriting } from './overwriting.ts';

function attribute(name: string, value: OnnxAttributeValue): OnnxAttribute {
  if (typeof value === 'string') return { name, string: value };
  if ('int' in value) return { name, int: value.int };
  if ('float' in value) return { name, float: value.float };
  // The compiler does not narrow a union of lists by a test of their elements.
  if (value.every((item) => typeof item === 'number')) return { name, ints: value as readonly number[] };
  return { name, strings: value as readonly string[] };
}

/** Collects nodes and constants while a graph is emitted. */
class GraphEmitter implements Emitter {
  readonly provider: Provider;
  readonly channelBlock: number | null;
  readonly collected: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  /** Types of values whose shape could not be inferred. */
  readonly known: OnnxInnerValue[] = [];
  /** Optimisers that would harm the model. */
  readonly harmful = new Set<string>();
  readonly #constants = new Map<string, string>();
  /** Outputs of nodes by all that determines them: lowerings of different calls share their common parts. */
  readonly #nodes = new Map<string, string[]>();
  /** Names that inputs and outputs have, so that values in between get others. */
  readonly #taken: ReadonlySet<string>;
  /** Name of the call being lowered: nodes carry it, so that errors and profiles name it. */
  #scope = '';

  constructor(
    { provider = 'cpu', channelBlock = null }: Pick<EmitModelOptions, 'provider' | 'channelBlock'>,
    taken: ReadonlySet<string>,
  ) {
    this.provider = provider;
    this.channelBlock = channelBlock;
    this.#taken = taken;
  }

  #free(name: string): string {
    return this.#taken.has(name) ? this.#free(`${name}'`) : name;
  }

  node(opType: string, inputs: readonly string[], options: EmitOptions = {}): string {
    return this.nodes(opType, inputs, { ...options, outputs: options.outputs ?? 1 })[0];
  }

  nodes(
    opType: string,
    inputs: readonly string[],
    { attributes = {}, domain, outputs, type }: EmitOptions & { readonly outputs: number },
  ): string[] {
    const key = JSON.stringify([opType, domain, inputs, attributes, outputs]);
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const id = this.collected.length;
    const names = Array.from({ length: outputs }, (_, i) => this.#free(outputs === 1 ? `v${id}` : `v${id}_${i}`));
    this.#nodes.set(key, names);
    if (type !== undefined) this.known.push({ name: names[0], dtype: type.dtype, shape: type.shape });
    this.collected.push({
      opType,
      domain: domain ?? '',
      name: `${this.#scope}/${opType}_${id}`,
      inputs,
      outputs: names,
      attributes: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return names;
  }

  constant(dtype: DType, shape: readonly number[], data: HostArray): string {
    // ONNX Runtime converts a constant once, when it opens the model.
    if (dtype === 'float16') return emitCast(this, this.constant('float32', shape, data), dtype);
    const key = `${dtype}[${shape.join(',')}]${hostArrayKey(data)}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.#free(`c${this.initializers.length}`);
      this.#constants.set(key, name);
      this.initializers.push({ name, dtype, shape, data });
    }
    return name;
  }

  ints(values: readonly number[]): string {
    return this.constant('int64', [values.length], elementsOf('int64', values));
  }

  scalar(dtype: DType, value: number): string {
    return this.constant(dtype, [], elementsOf(dtype, [value]));
  }

  keepFrom(optimizer: string): void {
    this.harmful.add(optimizer);
  }

  graph(graph: Graph, inputs: readonly string[]): string[] {
    const names = new Array<string>(graph.values.length);
    for (const [index, { value }] of graph.inputs.entries()) names[value] = inputs[index];
    const outer = this.#scope;
    for (const [index, { primitive, attributes, inputs: from, outputs: to }] of graph.calls.entries()) {
      this.#scope = `${outer}${outer === '' ? '' : '/'}${primitive.name}_${index}`;
      const results = (primitive.lowering[this.provider] ?? primitive.lowering.default)(this, {
        inputs: from.map((value) => names[value]),
        inputTypes: from.map((value) => graph.values[value]),
        outputTypes: to.map((value) => graph.values[value]),
        attributes,
      });
      for (const [output, value] of to.entries()) names[value] = results[output];
    }
    this.#scope = outer;
    return graph.outputs.map(({ value }) => names[value]);
  }
}

/**
 * Nodes in which results carry the outputs' names. A result that is an input, a constant or the result of another output, too, is
 * copied, so that every output is a value of its own.
 */
function withOutputNames(
  nodes: readonly OnnxNode[],
  results: readonly string[],
  outputs: readonly TensorSpec[],
): OnnxNode[] {
  const produced = new Set(nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const copies: OnnxNode[] = [];
  for (const [index, { name }] of outputs.entries()) {
    const result = results[index];
    if (produced.has(result) && !renamed.has(result)) renamed.set(result, name);
    else {
      const copy = { opType: 'Identity', domain: '', name: `output/${name}`, attributes: [] };
      copies.push({ ...copy, inputs: [result], outputs: [name] });
    }
  }
  const rename = (value: string) => renamed.get(value) ?? value;
  return [...nodes, ...copies].map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
}

function specsOf({ values }: Graph, ports: readonly GraphPort[]): TensorSpec[] {
  return ports.map(({ name, value }) => tensorSpec(name, values[value]));
}

/** @throws FlowError unless ONNX, where all names of values share one space, can have these. */
function checkNames(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): Set<string> {
  const names = new Set<string>();
  for (const { name } of [...inputs, ...outputs]) {
    if (name === '' || names.has(name)) {
      throw new FlowError({
        expected: 'inputs and outputs with names of their own',
        got: name === '' ? 'an empty name' : `\`${name}\` twice`,
        where: 'engine/onnx emitModel',
        remedy: 'another key in the record that the traced function returns',
      });
    }
    names.add(name);
  }
  return names;
}

export interface EmitModelOptions {
  /** Where the model will run: primitives are lowered for it. Default `cpu`. */
  readonly provider?: Provider;
  /**
   * `channelBlock` of the runtime that will execute the model: convolutions then use that runtime's blocked layout, and the model
   * runs on machines with this block only. Default `null`: a model for any machine.
   */
  readonly channelBlock?: number | null;
  /** Name of the ONNX graph. Default `flowloom`. */
  readonly name?: string;
}

/** A graph in ONNX's terms, before it is serialised. */
export interface EmittedGraph {
  readonly graph: OnnxGraph;
  /** Graph optimisers that would harm it. */
  readonly disabledOptimizers: readonly string[];
}

/**
 * The graph's nodes and constants; inputs and outputs keep their names. Every output is a value of its own: where the graph
 * hands out an input, a constant or one value twice, a copy is emitted.
 * @throws FlowError if two inputs or outputs have the same name, or one has none; ShapeError if one is of float16.
 */
export function emitGraph(graph: Graph, { name = 'flowloom', ...target }: EmitModelOptions = {}): EmittedGraph {
  const inputs = specsOf(graph, graph.inputs);
  const outputs = specsOf(graph, graph.outputs);
  const emitter = new GraphEmitter(target, checkNames(inputs, outputs));
  const results = emitter.graph(
    graph,
    inputs.map((input) => input.name),
  );
  const nodes = withOutputNames(emitter.collected, results, outputs);
  const inner = new Set(nodes.flatMap((node) => node.outputs));
  const known = emitter.known.filter((spec) => inner.has(spec.name));
  return {
    graph: { name, nodes, inputs, outputs, initializers: emitter.initializers, known },
    disabledOptimizers: [...emitter.harmful],
  };
}

/** The graph as an ONNX model, see `emitGraph`. @throws as it does. */
export function emitModel(graph: Graph, options: EmitModelOptions = {}): OnnxModel {
  const emitted = emitGraph(graph, options);
  const { inputs, outputs, nodes } = emitted.graph;
  return {
    bytes: encodeModel(emitted.graph),
    inputs,
    outputs,
    mayOverwrite: overwriting(nodes),
    disabledOptimizers: emitted.disabledOptimizers,
  };
}
