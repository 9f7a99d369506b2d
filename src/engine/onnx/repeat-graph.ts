/** A graph that repeats another one by ONNX's Loop, so that it is as long as one repetition. */
import { elementsOf } from '../tensor.ts';
import type { OnnxGraph, OnnxNode, OnnxValueInfo } from './model-proto.ts';

type AnyGraph = OnnxGraph<OnnxValueInfo>;

/** Graphs to be joined. Names of inputs of different graphs mean the same value where they are not listed here. */
export interface RepeatedParts {
  readonly name: string;
  /** Gives the first state, its only output. */
  readonly begin: AnyGraph;
  /** Takes the state `x` and the number of the repetition `step`, int64 []; its only output is the next state. */
  readonly step: AnyGraph;
  /** Takes the last state `x`. */
  readonly end: AnyGraph;
  readonly count: number;
}

/** A graph with a prefix to the names of all values but those given, which get others or keep theirs. */
function renamed(graph: AnyGraph, prefix: string, names: Readonly<Record<string, string>>): AnyGraph {
  const rename = (name: string) => (name === '' ? '' : Object.hasOwn(names, name) ? names[name]! : `${prefix}/${name}`);
  const port = (info: OnnxValueInfo) => ({ ...info, name: rename(info.name) });
  return {
    name: graph.name,
    nodes: graph.nodes.map((node) => ({
      ...node,
      name: `${prefix}/${node.name}`,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
    inputs: graph.inputs.map(port),
    outputs: graph.outputs.map(port),
    initializers: graph.initializers.map((tensor) => ({ ...tensor, name: rename(tensor.name) })),
  };
}

function named(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]));
}

function loopNode(body: AnyGraph, first: string, last: string): OnnxNode {
  const inputs = ['loop/count', '', first];
  const attributes = [{ name: 'body', graph: body }] as const;
  return { opType: 'Loop', domain: '', name: 'loop', inputs, outputs: [last], attributes };
}

/** The step as the body of a Loop: the repetition, the condition and the state in, condition and state out; the rest is read from around. */
function bodyOf(step: AnyGraph, outer: readonly string[]): AnyGraph {
  const inner = renamed(step, 'step', named(outer));
  const going = { name: 'step/going', dtype: 'bool', shape: [] } as const;
  const goesOn = { ...going, name: 'step/goes_on' };
  const port = (name: string) => inner.inputs.filter((input) => input.name === name);
  const pass = { opType: 'Identity', domain: '', name: 'step/pass', attributes: [] };
  return {
    ...inner,
    nodes: [...inner.nodes, { ...pass, inputs: [going.name], outputs: [goesOn.name] }],
    inputs: [...port('step/step'), going, ...port('step/x')],
    outputs: [goesOn, ...inner.outputs],
  };
}

/** begin, then `count` times step, then end, as one graph whose inputs are those of the parts but for states and numbers of steps. */
export function repeatedGraph({ name, begin, step, end, count }: RepeatedParts): AnyGraph {
  const outer = step.inputs.filter((input) => input.name !== 'x' && input.name !== 'step');
  const head = renamed(begin, 'begin', named(begin.inputs.map((input) => input.name)));
  const tail = renamed(end, 'end', { x: 'loop/last', ...named(end.outputs.map((output) => output.name)) });
  const body = bodyOf(
    step,
    outer.map((input) => input.name),
  );
  const trips = { name: 'loop/count', dtype: 'int64', shape: [], data: elementsOf('int64', [count]) } as const;
  return {
    name,
    nodes: [...head.nodes, loopNode(body, head.outputs[0]!.name, 'loop/last'), ...tail.nodes],
    inputs: [...head.inputs, ...outer],
    outputs: tail.outputs,
    initializers: [...head.initializers, trips, ...tail.initializers],
  };
}
