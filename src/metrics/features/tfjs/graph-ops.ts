/** Nodes of TensorFlow graphs as ONNX nodes. */
import {
  activation,
  axisOf,
  chain,
  concatenated,
  convolution,
  type GraphWriter,
  operandBeside,
  padded,
  pooling,
  product,
  reduced,
  reshaped,
  unsupported,
  type Value,
} from './graph-writer.ts';
import type { GraphNode, NodeAttribute } from './tfjs-model.ts';
import type { TfjsWeight } from './tfjs-weights.ts';

/** An operand: a value, or a constant of the graph. */
export type Operand = { readonly value: Value } | { readonly weight: TfjsWeight };

/** One node, and what it is made of. */
export interface NodeCall {
  readonly writer: GraphWriter;
  readonly node: GraphNode;
  readonly inputs: readonly Operand[];
}

type NodeRule = (call: NodeCall) => Value;

function attribute({ node }: NodeCall, name: string): NodeAttribute {
  return node.attr?.[name] ?? {};
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}

function value({ inputs, node }: NodeCall, index = 0): Value {
  const given = inputs[index];
  if (given !== undefined && 'value' in given) return given.value;
  throw unsupported(`operand ${index} of \`${node.name}\` to be computed`, given === undefined ? 'none' : 'a constant');
}

function weight({ inputs, node }: NodeCall, index: number): TfjsWeight {
  const given = inputs[index];
  if (given !== undefined && 'weight' in given) return given.weight;
  throw unsupported(`operand ${index} of \`${node.name}\` to be a constant`, 'another');
}

/** Numbers of a constant operand. */
function list(call: NodeCall, index: number): number[] {
  return Array.from(weight(call, index).values);
}

/** Height and width of a list over [batch, height, width, channels]. */
function plane(call: NodeCall, name: string): readonly number[] {
  const all = attribute(call, name).list?.i?.map(Number) ?? [1, 1, 1, 1];
  return all.slice(1, 3);
}

function windowOf(call: NodeCall) {
  const format = text(attribute(call, 'data_format').s ?? '');
  if (format === 'NCHW') throw unsupported(`\`${call.node.name}\` to have channels last`, format);
  return {
    strides: plane(call, 'strides'),
    dilations: plane(call, 'dilations'),
    padding: text(attribute(call, 'padding').s ?? ''),
  };
}

type Step = readonly [string, (x: Value, output: string) => Value];

/** x plus a constant. */
function biasStep(call: NodeCall, index: number): Step {
  const { writer } = call;
  return [
    'bias_add',
    (x, output) => sum(writer, 'Add', [x.name, operandBeside(writer, weight(call, index), x.rank)], x, output),
  ];
}

function sum(writer: GraphWriter, operator: string, names: readonly string[], like: Value, output: string): Value {
  return { name: writer.node(operator, names, output), rank: like.rank };
}

/** Steps that are fused into a node: a bias, which is its third operand, and an activation. */
function fusedSteps(call: NodeCall): Step[] {
  const names = attribute(call, 'fused_ops').list?.s?.map(text) ?? [];
  return names.map((name): Step => {
    if (name === 'BiasAdd') return biasStep(call, 2);
    return [name, (x, output) => activation(call.writer, x, output, name)];
  });
}

function convolved(depthwise: boolean): NodeRule {
  return (call) => {
    const { writer, node } = call;
    const options = { ...windowOf(call), kernel: weight(call, 1), depthwise, bias: null };
    return chain(value(call), node.name, [
      ['convolution', (x, output) => convolution(writer, x, output, options)],
      ...fusedSteps(call),
    ]);
  };
}

function multiplied(call: NodeCall): Value {
  if (attribute(call, 'transpose_a').b || attribute(call, 'transpose_b').b)
    throw unsupported(`\`${call.node.name}\` without transposed operands`, 'transposed ones');
  return chain(value(call), call.node.name, [
    ['product', (x, output) => product(call.writer, x, output, weight(call, 1))],
    ...fusedSteps(call),
  ]);
}

function pooled(mean: boolean): NodeRule {
  return (call) =>
    pooling(call.writer, value(call), call.node.name, { ...windowOf(call), mean, window: plane(call, 'ksize') });
}

/** Two operands, number by number; one may be a constant. */
function elementwise(operator: string): NodeRule {
  return (call) => {
    const { writer, node, inputs } = call;
    const ranks = inputs.map((input) => ('value' in input ? input.value.rank : 0));
    const rank = Math.max(...ranks);
    const names = inputs.map((input) => {
      if ('weight' in input) return operandBeside(writer, input.weight, rank);
      if (input.value.rank === rank) return input.value.name;
      throw unsupported(`operands of \`${node.name}\` to have as many axes`, ranks.join(' and '));
    });
    return { name: writer.node(operator, names, node.name), rank };
  };
}

function reducing(operator: string): NodeRule {
  return (call) => {
    const keep = attribute(call, 'keep_dims').b ?? false;
    return reduced(call.writer, value(call), call.node.name, { operator, axes: list(call, 1), keep });
  };
}

function concat(call: NodeCall): Value {
  const last = call.inputs.length - 1;
  const values = call.inputs.slice(0, last).map((_, index) => value(call, index));
  return concatenated(call.writer, values, call.node.name, list(call, last)[0]!);
}

/** Axes of size 1 taken away; of images, height and width. */
function squeezed(call: NodeCall): Value {
  const { writer, node } = call;
  const x = value(call);
  const axes = (attribute(call, 'squeeze_dims').list?.i ?? []).map((axis) => axisOf(Number(axis), x.rank));
  const ours = axes.sort((a, b) => a - b);
  if (x.rank === 4 ? ours.join() !== '2,3' : ours.length === 0)
    throw unsupported(`\`${node.name}\` to take height and width away`, ours.join());
  return {
    name: writer.node('Squeeze', [x.name, writer.ints(`${node.name}/axes`, ours)], node.name),
    rank: x.rank - ours.length,
  };
}

function padding(call: NodeCall): Value {
  const [b0, b1, top, bottom, left, right, c0, c1] = list(call, 1);
  if ([b0, b1, c0, c1].some((count) => count !== 0)) throw unsupported('zeros around images', `\`${call.node.name}\``);
  return padded(call.writer, value(call), call.node.name, [
    [top!, bottom!],
    [left!, right!],
  ]);
}

function batchNormalization(call: NodeCall): Value {
  const { writer, node } = call;
  const names = [1, 2, 3, 4].map((index) => operandBeside(writer, weight(call, index), 1));
  const epsilon = attribute(call, 'epsilon').f ?? 1e-4;
  const x = value(call);
  return { ...x, name: writer.node('BatchNormalization', [x.name, ...names], node.name, { epsilon }) };
}

function mapped(kind: string): NodeRule {
  return (call) => activation(call.writer, value(call), call.node.name, kind);
}

/** How each node is written, by `op`. */
const rules: Readonly<Record<string, NodeRule>> = {
  Add: elementwise('Add'),
  AddV2: elementwise('Add'),
  AvgPool: pooled(true),
  BiasAdd: (call) => chain(value(call), call.node.name, [biasStep(call, 1)]),
  ConcatV2: concat,
  Conv2D: convolved(false),
  DepthwiseConv2dNative: convolved(true),
  Elu: mapped('elu'),
  FusedBatchNormV3: batchNormalization,
  FusedDepthwiseConv2dNative: convolved(true),
  Identity: mapped('linear'),
  MatMul: multiplied,
  Max: reducing('ReduceMax'),
  Maximum: elementwise('Max'),
  MaxPool: pooled(false),
  Mean: reducing('ReduceMean'),
  Minimum: elementwise('Min'),
  Mul: elementwise('Mul'),
  Pad: padding,
  RealDiv: elementwise('Div'),
  Relu: mapped('relu'),
  Relu6: mapped('relu6'),
  Reshape: (call) => reshaped(call.writer, value(call), call.node.name, list(call, 1)),
  Sigmoid: mapped('sigmoid'),
  Softmax: mapped('softmax'),
  Squeeze: squeezed,
  Sub: elementwise('Sub'),
  Tanh: mapped('tanh'),
  _FusedConv2D: convolved(false),
  _FusedMatMul: multiplied,
};

/** The output of a node. @throws DataError for an operation that is not known. */
export function writeNode(call: NodeCall): Value {
  const { op, name } = call.node;
  if (Object.hasOwn(rules, op)) return rules[op]!(call);
  throw unsupported(`node \`${name}\` to be ${Object.keys(rules).join(', ')}`, op);
}
