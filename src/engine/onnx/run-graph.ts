/** Computes graphs of files on tensors: every node becomes operations of the engine. */
import { DataError, FlowError, ShapeError } from '../../errors.ts';
import { elementCount } from '../shape.ts';
import { formatType, type Tensor } from '../tensor.ts';
import { attributeReader } from './attribute-reader.ts';
import type { Folding } from './known-values.ts';
import type { FileGraph, FileNode, FileTensor } from './model-record.ts';
import type { NodeCall, Operator } from './operator.ts';
import { tensorConstant } from './operator.ts';
import { operators } from './operators/table.ts';
import { type GraphPlan, neededNodes, nodeLabel, type PlannedNode, shownName } from './plan-graph.ts';
import { type DecodedTensor, decodeTensor, type ReadExternal } from './read-tensor.ts';

/**
 * First and last version of ONNX's operator set whose meaning is known here. Before version 7 operands broadcast by attributes, which
 * are refused; what did not change since can be imported.
 */
export const opsetRange = { first: 1, last: 21 } as const;

/** Most elements of any value: what no machine holds comes from a damaged file. */
const MOST_ELEMENTS = 2 ** 40;

/** What all graphs of one tracing share. */
export interface GraphContext {
  readonly opsets: ReadonlyMap<string, number>;
  readonly folding: Folding;
  readonly readExternal: ReadExternal;
}

/** Values by name, and those around. */
export interface Scope {
  readonly values: Map<string, Tensor>;
  readonly types: Map<string, number>;
  readonly outer: Scope | null;
}

/** A value of the scope or one around it. */
function lookUp(scope: Scope, name: string): { readonly tensor: Tensor; readonly type: number | null } | null {
  for (let at: Scope | null = scope; at !== null; at = at.outer) {
    const tensor = at.values.get(name);
    if (tensor !== undefined) return { tensor, type: at.types.get(name) ?? null };
  }
  return null;
}

function domainLabel({ domain }: FileNode, { opsets }: GraphContext): string {
  const version = opsets.get(domain);
  const set = domain === '' ? 'ai.onnx' : shownName(domain).slice(1, -1);
  return `domain ${set}, opset ${version ?? 'not stated'}`;
}

/** The operator of a node; `null` if it cannot be imported. */
export function operatorOf(node: FileNode): Operator | null {
  return operators.get(node.domain)?.get(node.opType) ?? null;
}

/** @throws DataError if one of the nodes has an operator that cannot be imported. It names the first, and counts the others. */
function checkSupported(nodes: readonly PlannedNode[], context: GraphContext): void {
  const missing = nodes.filter(({ node }) => operatorOf(node) === null);
  if (missing.length === 0) return;
  const [{ node }] = missing;
  const kinds = new Set(missing.map((planned) => planned.node.opType));
  const others = kinds.size === 1 ? '' : ` (and ${[...kinds].slice(1, 9).map(shownName).join(', ')})`;
  throw new DataError({
    expected: `operators that can be imported`,
    got: `${nodeLabel(node)} of ${domainLabel(node, context)}${others}`,
    where: 'engine/onnx import',
    remedy: 'the values before it as outputs',
  });
}

/** Calls an operator on a node's operands. */
class NodeRun {
  readonly #planned: PlannedNode;
  readonly #scope: Scope;
  readonly #context: GraphContext;

  constructor(planned: PlannedNode, scope: Scope, context: GraphContext) {
    this.#planned = planned;
    this.#scope = scope;
    this.#context = context;
  }

  refuse = (expected: string, got: string, cause?: unknown): never => {
    const { node } = this.#planned;
    throw new DataError({
      expected: `${nodeLabel(node)} to have ${expected}`,
      got,
      where: `engine/onnx import, ${domainLabel(node, this.#context)}`,
      cause,
    });
  };

  #call(operands: readonly (Tensor | null)[]): NodeCall {
    const { node, bodies } = this.#planned;
    return {
      opset: this.#context.opsets.get(node.domain) ?? 1,
      inputs: operands,
      elementTypes: node.inputs.map((name) => lookUp(this.#scope, name)?.type ?? null),
      outputCount: node.outputs.length,
      isUsed: (output) => (node.outputs[output] ?? '') !== '',
      attributes: attributeReader(node.attributes, this.refuse),
      refuse: this.refuse,
      decode: (tensor: FileTensor): DecodedTensor => decodeTensor(tensor, this.#context.readExternal),
      body: (graph: FileGraph) => {
        const plan = bodies.get(graph) ?? this.refuse('a graph of its own', 'another');
        const results = runGraph(plan, [], innerScope(plan, this.#scope, this.#context), this.#context);
        return graph.outputs.map(({ name }) => results.get(name) ?? this.refuse(`a value ${shownName(name)}`, 'none'));
      },
    };
  }

  run(operator: Operator): void {
    const { node } = this.#planned;
    const operands = node.inputs.map((name) => {
      if (name === '') return null;
      return lookUp(this.#scope, name)?.tensor ?? this.refuse(`a value ${shownName(name)}`, 'none');
    });
    const [least, most] = operator.inputs;
    if (operands.length < least || operands.length > most)
      this.refuse(`${least} to ${most} operands`, `${operands.length}`);
    const results = this.#results(operator, operands);
    for (const result of results)
      if (elementCount(result.shape) > MOST_ELEMENTS)
        this.refuse(`results of at most ${MOST_ELEMENTS} elements`, formatType(result));
    for (const [index, name] of node.outputs.entries()) {
      if (name === '') continue;
      this.#scope.values.set(name, results[index] ?? this.refuse(`fewer than ${index + 1} outputs`, shownName(name)));
    }
  }

  /** Results, as constants where they can be. @throws DataError if the engine or the operator refuses the operands. */
  #results(operator: Operator, operands: readonly (Tensor | null)[]): readonly Tensor[] {
    const call = this.#call(operands);
    try {
      const result = operator.apply(call);
      const unread = call.attributes.unread();
      if (unread.length > 0) this.refuse('attributes that are known', unread.slice(0, 9).map(shownName).join(', '));
      // What the node's graphs capture counts, too.
      const given = this.#planned.reads.flatMap((name) => lookUp(this.#scope, name)?.tensor ?? []);
      return this.#context.folding.fold('dtype' in result ? [result] : result, given, operator.isProduct ?? false);
    } catch (cause) {
      if (!(cause instanceof ShapeError)) throw cause;
      const types = operands.map((operand) => (operand === null ? 'none' : formatType(operand))).join(', ');
      return this.refuse(`operands that fit, not ${types}`, `the fault: ${cause.message}`, cause);
    }
  }
}

/** A graph's own constants, in a scope around which the given one lies. */
function innerScope({ initializers }: GraphPlan, outer: Scope, { readExternal }: GraphContext): Scope {
  const values = new Map<string, Tensor>();
  const types = new Map<string, number>();
  for (const [name, tensor] of initializers) {
    values.set(name, tensorConstant(decodeTensor(tensor, readExternal)));
    types.set(name, tensor.elementType);
  }
  return { values, types, outer };
}

/**
 * Values of a graph by name: those wanted (its outputs, if none are named) and all that they needed.
 * @param scope  has the graph's inputs and constants; results are added to it.
 * @throws DataError if a node has an operator that is not known, or operands or attributes that do not fit it.
 */
export function runGraph(
  plan: GraphPlan,
  wanted: readonly string[],
  scope: Scope,
  context: GraphContext,
): ReadonlyMap<string, Tensor> {
  const names = wanted.length > 0 ? wanted : plan.graph.outputs.map(({ name }) => name);
  const nodes = neededNodes(plan, names);
  checkSupported(nodes, context);
  for (const planned of nodes) {
    const operator = operatorOf(planned.node);
    if (operator !== null) new NodeRun(planned, scope, context).run(operator);
  }
  const results = new Map<string, Tensor>();
  for (const name of names) {
    const found = lookUp(scope, name);
    if (found === null) throw new FlowError({ expected: `a value ${shownName(name)}`, got: 'none' });
    results.set(name, found.tensor);
  }
  return results;
}
