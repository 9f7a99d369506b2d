/** Layers of Keras as ONNX nodes. */
import {
  activation,
  chain,
  clipped,
  concatenated,
  convolution,
  flattened,
  type GraphWriter,
  operandBeside,
  padded,
  pooling,
  product,
  reduced,
  unsupported,
  type Value,
} from './graph-writer.ts';
import type { KerasLayer } from './tfjs-model.ts';
import type { TfjsWeight } from './tfjs-weights.ts';

/** One layer, and what it is made of. */
export interface LayerCall {
  readonly writer: GraphWriter;
  readonly name: string;
  readonly inputs: readonly Value[];
  /** Settings of the layer. */
  readonly settings: KerasLayer['config'];
  /** A weight of the layer. @throws DataError if there is none. */
  weight(name: string): TfjsWeight;
}

type LayerRule = (call: LayerCall) => Value;

function numbers(value: unknown, otherwise: readonly number[]): readonly number[] {
  if (typeof value === 'number') return [value, value];
  return Array.isArray(value) ? value.map(Number) : otherwise;
}

function windowOf({ settings }: LayerCall) {
  if (settings.data_format === 'channels_first') throw unsupported('images with channels last', 'channels first');
  return {
    strides: numbers(settings.strides, [1, 1]),
    dilations: numbers(settings.dilation_rate, [1, 1]),
    padding: String(settings.padding ?? 'valid'),
  };
}

type Step = readonly [string, (x: Value, output: string) => Value];

/** The layer's own activation as a last step, if it has one. */
function activated({ writer, settings }: LayerCall): Step[] {
  const kind = String(settings.activation ?? 'linear');
  return kind === 'linear' ? [] : [['activation', (x, output) => activation(writer, x, output, kind)]];
}

/** Whether an option that is on by default is on. */
function isOn(value: unknown): boolean {
  return value !== false;
}

function convolved(depthwise: boolean): LayerRule {
  return (call) => {
    const { writer, name, inputs, settings, weight } = call;
    const options = {
      ...windowOf(call),
      kernel: weight(depthwise ? 'depthwise_kernel' : 'kernel'),
      depthwise,
      bias: isOn(settings.use_bias) ? weight('bias') : null,
    };
    return chain(inputs[0]!, name, [
      ['convolution', (x, output) => convolution(writer, x, output, options)],
      ...activated(call),
    ]);
  };
}

function dense(call: LayerCall): Value {
  const { writer, name, inputs, settings, weight } = call;
  const biased: Step = [
    'bias_add',
    (x, output) => ({ ...x, name: writer.node('Add', [x.name, operandBeside(writer, weight('bias'), 2)], output) }),
  ];
  return chain(inputs[0]!, name, [
    ['product', (x, output) => product(writer, x, output, weight('kernel'))],
    ...(isOn(settings.use_bias) ? [biased] : []),
    ...activated(call),
  ]);
}

function batchNormalization({ writer, name, inputs, settings, weight }: LayerCall): Value {
  const [x] = inputs;
  const mean = weight('moving_mean');
  const filled = (suffix: string, value: number): TfjsWeight => ({
    name: `${name}/${suffix}`,
    shape: mean.shape,
    values: new Float32Array(mean.values.length).fill(value),
  });
  const parts = [
    isOn(settings.scale) ? weight('gamma') : filled('gamma', 1),
    isOn(settings.center) ? weight('beta') : filled('beta', 0),
    mean,
    weight('moving_variance'),
  ];
  const names = parts.map((part) => operandBeside(writer, part, 1));
  const epsilon = Number(settings.epsilon ?? 1e-3);
  return { ...x!, name: writer.node('BatchNormalization', [x!.name, ...names], name, { epsilon }) };
}

function pooled(mean: boolean): LayerRule {
  return (call) => {
    const window = numbers(call.settings.pool_size, [2, 2]);
    const strides = numbers(call.settings.strides, window);
    return pooling(call.writer, call.inputs[0]!, call.name, { ...windowOf(call), mean, window, strides });
  };
}

function globallyPooled(operator: string): LayerRule {
  return ({ writer, name, inputs, settings }) =>
    reduced(writer, inputs[0]!, name, { operator, axes: [1, 2], keep: settings.keepdims === true });
}

function combined(operator: string): LayerRule {
  return ({ writer, name, inputs: [first, ...others] }) =>
    chain(
      first!,
      name,
      others.map(
        (other, i): Step => [
          `${i}`,
          ({ name: sum, rank }, output) => ({ name: writer.node(operator, [sum, other.name], output), rank }),
        ],
      ),
    );
}

function rectified({ writer, name, inputs, settings }: LayerCall): Value {
  const { max_value: most = null, negative_slope: slope = 0, threshold = 0 } = settings;
  if (Number(slope) !== 0 || Number(threshold) !== 0) throw unsupported('a ReLU without slope and threshold', name);
  if (most === null) return activation(writer, inputs[0]!, name, 'relu');
  return clipped(writer, inputs[0]!, name, [0, Number(most)]);
}

function zeroPadding({ writer, name, inputs, settings }: LayerCall): Value {
  const given = settings.padding;
  const sides: readonly unknown[] = Array.isArray(given) ? given : [given, given];
  return padded(
    writer,
    inputs[0]!,
    name,
    sides.map((side) => numbers(side, [1, 1])),
  );
}

const same: LayerRule = ({ writer, name, inputs }) => activation(writer, inputs[0]!, name, 'linear');

/** How each layer is written, by `class_name`. */
const rules: Readonly<Record<string, LayerRule>> = {
  Activation: ({ writer, name, inputs, settings }) => activation(writer, inputs[0]!, name, String(settings.activation)),
  Add: combined('Add'),
  AveragePooling2D: pooled(true),
  BatchNormalization: batchNormalization,
  Concatenate: ({ writer, name, inputs, settings }) => concatenated(writer, inputs, name, Number(settings.axis ?? -1)),
  Conv2D: convolved(false),
  Dense: dense,
  DepthwiseConv2D: convolved(true),
  Dropout: same,
  Flatten: ({ writer, name, inputs }) => flattened(writer, inputs[0]!, name),
  GlobalAveragePooling2D: globallyPooled('ReduceMean'),
  GlobalMaxPooling2D: globallyPooled('ReduceMax'),
  MaxPooling2D: pooled(false),
  Multiply: combined('Mul'),
  ReLU: rectified,
  ZeroPadding2D: zeroPadding,
};

/** The output of a layer. @throws DataError for a layer that is not known. */
export function writeLayer(kind: string, call: LayerCall): Value {
  if (Object.hasOwn(rules, kind)) return rules[kind]!(call);
  throw unsupported(`layer \`${call.name}\` to be ${Object.keys(rules).join(', ')}`, kind);
}
