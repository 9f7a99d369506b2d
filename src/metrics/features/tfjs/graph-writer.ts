/**
 * Writes the operations of TensorFlow as ONNX nodes. Images change from [batch, height, width, channels] to [batch, channels, height,
 * width] once, at the input: every value of rank 4 stands for its counterpart with channels last.
 */
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from '../../../engine/onnx/model-proto.ts';
import { stridesOf } from '../../../engine/shape.ts';
import { DataError } from '../../../errors.ts';
import type { TfjsWeight } from './tfjs-weights.ts';

/** A value of the graph. */
export interface Value {
  readonly name: string;
  /** Number of axes; with four it is images, channels first. */
  readonly rank: number;
}

/** Where the axes of images went: channels-last axis to ours. */
const imageAxis = [0, 2, 3, 1] as const;

export type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

function attributes(given: Attributes): OnnxAttribute[] {
  return Object.entries(given).map(([name, value]) => {
    if (typeof value === 'string') return { name, string: value };
    if (typeof value !== 'number') return { name, ints: value };
    return floats.has(name) ? { name, float: value } : { name, int: value };
  });
}

/** Attributes whose type is float, also where the number is whole. */
const floats: ReadonlySet<string> = new Set(['epsilon']);

/** The error for what cannot be converted. */
export function unsupported(expected: string, got: string): DataError {
  return new DataError({ expected, got, where: 'metrics/features/tfjs', remedy: 'an ONNX file of the network' });
}

/** Nodes and constants as they are collected. */
export interface GraphWriter {
  readonly nodes: OnnxNode[];
  readonly initializers: OnnxInitializer[];
  /** Adds a node and gives its output, which has the node's name. */
  node(opType: string, inputs: readonly string[], output: string, attributes?: Attributes): string;
  /** Adds a constant once and gives its name. */
  constant(name: string, shape: readonly number[], values: Float32Array): string;
  /** A list of integers. */
  ints(name: string, values: readonly number[]): string;
}

export function createGraphWriter(): GraphWriter {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxInitializer[] = [];
  const known = new Set<string>();
  const add = (initializer: OnnxInitializer) => {
    if (!known.has(initializer.name)) initializers.push(initializer);
    known.add(initializer.name);
    return initializer.name;
  };
  return {
    nodes,
    initializers,
    node(opType, inputs, output, given = {}) {
      nodes.push({ opType, domain: '', name: output, inputs, outputs: [output], attributes: attributes(given) });
      return output;
    },
    constant: (name, shape, data) => add({ name, dtype: 'float32', shape, data }),
    ints(name, values) {
      const data = BigInt64Array.from(values, BigInt);
      return add({ name, dtype: 'int64', shape: [values.length], data });
    },
  };
}

/** Elements with their axes in another order. */
export function permuted({ shape, values }: TfjsWeight, order: readonly number[]): Float32Array {
  const strides = order.map((axis) => stridesOf(shape)[axis]!);
  const sizes = order.map((axis) => shape[axis]!);
  const result = new Float32Array(values.length);
  const index = sizes.map(() => 0);
  for (let to = 0; to < result.length; to++) {
    result[to] = values[index.reduce((at, i, axis) => at + i * strides[axis]!, 0)]!;
    for (let axis = sizes.length - 1; axis >= 0 && ++index[axis]! === sizes[axis]; axis--) index[axis] = 0;
  }
  return result;
}

function float32(values: Float32Array | Float64Array): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** What a convolution or pooling does along height and width. */
export interface WindowOptions {
  readonly strides: readonly number[];
  readonly dilations?: readonly number[];
  /** `SAME`: as many outputs as strides fit into the image, and where zeros are odd in number, the last side has one more. */
  readonly padding: string;
}

/** `SAME` is ONNX's `SAME_UPPER`, for images of any size. @throws DataError for other paddings than `SAME` and `VALID`. */
function windowAttributes({ strides, dilations = [1, 1], padding }: WindowOptions): Attributes {
  const mode = { SAME: 'SAME_UPPER', VALID: 'VALID' }[padding.toUpperCase()];
  if (mode === undefined) throw unsupported('padding SAME or VALID', padding);
  const dilated = dilations.some((step) => step !== 1);
  return { strides, auto_pad: mode, ...(dilated ? { dilations } : {}) };
}

export interface ConvolutionOptions extends WindowOptions {
  /** [height, width, in, out], or [height, width, in, multiplier] where each channel has its own filters. */
  readonly kernel: TfjsWeight;
  readonly depthwise: boolean;
  readonly bias: TfjsWeight | null;
}

/** A convolution with an optional bias. */
export function convolution(writer: GraphWriter, x: Value, output: string, options: ConvolutionOptions): Value {
  const { kernel, depthwise, bias } = options;
  const [height, width, inner, last] = kernel.shape;
  if (x.rank !== 4 || kernel.shape.length !== 4) throw unsupported('a convolution over images', output);
  const order = depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1];
  const shape = depthwise ? [inner! * last!, 1, height!, width!] : [last!, inner!, height!, width!];
  const inputs = [x.name, writer.constant(kernel.name, shape, permuted(kernel, order))];
  if (bias !== null) inputs.push(writer.constant(bias.name, bias.shape, float32(bias.values)));
  const group = depthwise ? inner! : 1;
  writer.node('Conv', inputs, output, { kernel_shape: [height!, width!], group, ...windowAttributes(options) });
  return { name: output, rank: 4 };
}

export interface PoolingOptions extends WindowOptions {
  readonly mean: boolean;
  readonly window: readonly number[];
}

/** Maximum or mean over windows. Means do not count what lies outside of the image. */
export function pooling(writer: GraphWriter, x: Value, output: string, options: PoolingOptions): Value {
  const { mean, window } = options;
  const given = { kernel_shape: window, ...windowAttributes(options) };
  return { name: writer.node(mean ? 'AveragePool' : 'MaxPool', [x.name], output, given), rank: 4 };
}

/** Operators that map numbers one by one, by TensorFlow's name in lower case. */
const activations: Readonly<Record<string, string>> = {
  relu: 'Relu',
  sigmoid: 'Sigmoid',
  tanh: 'Tanh',
  elu: 'Elu',
  softplus: 'Softplus',
  linear: 'Identity',
};

/** An activation by its name. @throws DataError for one that is not known. */
export function activation(writer: GraphWriter, x: Value, output: string, kind: string): Value {
  const name = kind.toLowerCase();
  if (name === 'softmax') writer.node('Softmax', [x.name], output, { axis: x.rank === 4 ? 1 : -1 });
  else if (name === 'relu6') writer.node('Clip', [x.name, ...limits(writer, 0, 6)], output);
  else if (Object.hasOwn(activations, name)) writer.node(activations[name]!, [x.name], output);
  else throw unsupported(`an activation of ${Object.keys(activations).join(', ')}, softmax, relu6`, kind);
  return { name: output, rank: x.rank };
}

function limits(writer: GraphWriter, ...values: readonly number[]): string[] {
  return values.map((value) => writer.constant(`constant/${value}`, [], Float32Array.of(value)));
}

/** A constant as an operand beside values of a rank: channels-last axes come where those of images are. */
export function operandBeside(writer: GraphWriter, weight: TfjsWeight, rank: number): string {
  const { name, shape, values } = weight;
  if (rank !== 4 || shape.length === 0) return writer.constant(name, shape, float32(values));
  const full = { ...weight, shape: [...new Array<number>(4 - shape.length).fill(1), ...shape] };
  const order = [0, 3, 1, 2];
  return writer.constant(
    `${name}/images`,
    order.map((axis) => full.shape[axis]!),
    permuted(full, order),
  );
}

/** x times a matrix [in, out]; images are flattened before, channels last. */
export function product(writer: GraphWriter, x: Value, output: string, kernel: TfjsWeight): Value {
  if (x.rank !== 2 || kernel.shape.length !== 2) throw unsupported('a product of two matrices', output);
  const matrix = writer.constant(kernel.name, kernel.shape, float32(kernel.values));
  return { name: writer.node('MatMul', [x.name, matrix], output), rank: 2 };
}

/** x in the order of its elements that TensorFlow knows. */
function channelsLast(writer: GraphWriter, x: Value, output: string): Value {
  if (x.rank !== 4) return x;
  return { name: writer.node('Transpose', [x.name], `${output}/channels_last`, { perm: [0, 2, 3, 1] }), rank: 4 };
}

/** [batch, ...] to [batch, all], channels last. */
export function flattened(writer: GraphWriter, x: Value, output: string): Value {
  const from = channelsLast(writer, x, output).name;
  return { name: writer.node('Flatten', [from], output, { axis: 1 }), rank: 2 };
}

/** Another shape, of which one size may be -1. */
export function reshaped(writer: GraphWriter, x: Value, output: string, shape: readonly number[]): Value {
  const from = channelsLast(writer, x, output).name;
  const rank = shape.length;
  const sizes = writer.ints(`${output}/shape`, shape);
  if (rank !== 4) return { name: writer.node('Reshape', [from, sizes], output), rank };
  const whole = writer.node('Reshape', [from, sizes], `${output}/reshaped`);
  return { name: writer.node('Transpose', [whole], output, { perm: [0, 3, 1, 2] }), rank };
}

/** Our axis for one of TensorFlow. */
export function axisOf(axis: number, rank: number): number {
  const fromFront = axis < 0 ? axis + rank : axis;
  return rank === 4 ? imageAxis[fromFront]! : fromFront;
}

/** Values side by side along one axis. */
export function concatenated(writer: GraphWriter, values: readonly Value[], output: string, axis: number): Value {
  const { rank } = values[0]!;
  const names = values.map(({ name }) => name);
  return { name: writer.node('Concat', names, output, { axis: axisOf(axis, rank) }), rank };
}

/** A reduction over axes of an operator such as `ReduceMean`. Of images only height and width can be taken away. */
export function reduced(
  writer: GraphWriter,
  x: Value,
  output: string,
  { operator, axes, keep }: { readonly operator: string; readonly axes: readonly number[]; readonly keep: boolean },
): Value {
  const ours = axes.map((axis) => axisOf(axis, x.rank)).sort((a, b) => a - b);
  if (x.rank === 4 && !keep && ours.join() !== '2,3') throw unsupported('a reduction over height and width', output);
  const list = writer.ints(`${output}/axes`, ours);
  // ReduceMean has its axes as an operand from opset 18 on.
  writer.node(operator, [x.name, list], output, { keepdims: keep ? 1 : 0 });
  return { name: output, rank: keep ? x.rank : x.rank - axes.length };
}

/** Numbers no smaller and no larger than two limits. */
export function clipped(writer: GraphWriter, x: Value, output: string, [low, high]: readonly [number, number]): Value {
  return { name: writer.node('Clip', [x.name, ...limits(writer, low, high)], output), rank: x.rank };
}

/** Zeros around images. @param counts  [[top, bottom], [left, right]]. */
export function padded(writer: GraphWriter, x: Value, output: string, counts: readonly (readonly number[])[]): Value {
  const [[top, bottom], [left, right]] = counts as readonly [readonly number[], readonly number[]]; // two axes, as documented
  const list = writer.ints(`${output}/pads`, [0, 0, top!, left!, 0, 0, bottom!, right!]);
  return { name: writer.node('Pad', [x.name, list], output), rank: x.rank };
}

/** Steps one after the other; the last result has the name, and those before it name/step. */
export function chain(
  x: Value,
  output: string,
  steps: readonly (readonly [step: string, apply: (x: Value, output: string) => Value])[],
): Value {
  return steps.reduce(
    (value, [step, apply], i) => apply(value, i === steps.length - 1 ? output : `${output}/${step}`),
    x,
  );
}
