/** Single operators of opsets 9 to 21: the importer's operations against ONNX Runtime's own kernel of the operator. */
import { afterAll, describe, expect, test } from 'vitest';
import { dtypeFacts, type HostArray } from '../../../src/engine/dtype.ts';
import { closeGraph } from '../../../src/engine/graph.ts';
import { interpret } from '../../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { encodeModel, type OnnxAttribute, type OnnxInitializer } from '../../../src/engine/onnx/model-proto.ts';
import { elementCount, type Shape } from '../../../src/engine/shape.ts';
import { elementsOf, placeholder } from '../../../src/engine/tensor.ts';
import { tensorSpec } from '../../../src/engine/tensor-spec.ts';
import { executeGraph, relativeError, runModel } from '../execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

interface OperatorCase {
  readonly op: string;
  readonly opset: number;
  readonly domain?: string;
  /** Operands in order: shapes of float inputs, int64 constants as `ints`, float constants as `floats`, `null` where absent. */
  readonly operands: readonly (Shape | Known | null)[];
  readonly attributes?: Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>>;
  /** Number of outputs. Default 1. */
  readonly outputs?: number;
}

type Known =
  | { readonly ints: readonly number[]; readonly shape?: Shape }
  | { readonly floats: readonly number[]; readonly shape?: Shape };
const ints = (...values: number[]): Known => ({ ints: values });
const floats = (...values: number[]): Known => ({ floats: values });
const int = (value: number): Known => ({ ints: [value], shape: [] });

const bilinear = { mode: 'linear' };
const image: Shape = [1, 2, 7, 6];
const cases: readonly OperatorCase[] = [
  ...[
    {},
    { coordinate_transformation_mode: 'align_corners' },
    { coordinate_transformation_mode: 'asymmetric' },
    { coordinate_transformation_mode: 'pytorch_half_pixel' },
    { antialias: 1 },
  ].flatMap((attributes) =>
    ['linear', 'cubic'].flatMap((mode) =>
      [ints(1, 2, 4, 9), ints(1, 2, 3, 2)].map((sizes) => ({
        ...{ op: 'Resize', opset: 19, operands: [image, null, null, sizes] },
        attributes: { ...attributes, mode },
      })),
    ),
  ),
  ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].flatMap((rounding) =>
    ['half_pixel', 'asymmetric', 'align_corners'].map((coordinates) => ({
      ...{ op: 'Resize', opset: 13, operands: [image, null, floats(1, 1, 1.5, 0.6)] },
      attributes: { mode: 'nearest', nearest_mode: rounding, coordinate_transformation_mode: coordinates },
    })),
  ),
  { op: 'Resize', opset: 13, operands: [image, null, floats(1, 1, 2, 3)], attributes: { mode: 'nearest' } },
  { op: 'Resize', opset: 10, operands: [image, floats(1, 1, 2, 1.5)], attributes: bilinear },
  { op: 'Upsample', opset: 9, operands: [image, floats(1, 1, 2, 2)], attributes: bilinear },
  {
    op: 'Resize',
    opset: 11,
    operands: [image, floats(), floats(1, 1, 0.6, 0.8)],
    attributes: { mode: 'cubic', exclude_outside: 1 },
  },
  {
    ...{ op: 'Resize', opset: 18, operands: [image, null, null, ints(9, 9)] },
    attributes: { ...bilinear, axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' },
  },
  {
    ...{ op: 'Resize', opset: 13, operands: [image, floats(0, 0, 0.4, 0.6, 1, 1, 0.9, 1.2), null, ints(1, 2, 3, 4)] },
    attributes: {
      ...bilinear,
      coordinate_transformation_mode: 'tf_crop_and_resize',
      extrapolation_value: { float: 7 },
    },
  },
  { op: 'Split', opset: 18, operands: [[2, 7]], attributes: { axis: 1, num_outputs: 3 }, outputs: 3 },
  { op: 'Split', opset: 11, operands: [[2, 7]], attributes: { axis: 1, split: [3, 4] }, outputs: 2 },
  { op: 'Pad', opset: 18, operands: [[2, 3, 4], ints(1, -1, 2, 0), floats(2.5), ints(1, 2)] },
  { op: 'Pad', opset: 19, operands: [[2, 3], ints(1, 2, 0, 4)], attributes: { mode: 'wrap' } },
  { op: 'Pad', opset: 10, operands: [[2, 4]], attributes: { pads: [0, 2, 0, 3], mode: 'reflect' } },
  { op: 'ReduceMean', opset: 18, operands: [[2, 3, 4], ints(0, -1)], attributes: { keepdims: 0 } },
  { op: 'ReduceMax', opset: 18, operands: [[2, 3], ints()], attributes: { noop_with_empty_axes: 1 } },
  { op: 'ReduceSum', opset: 11, operands: [[2, 3, 4]], attributes: { axes: [1] } },
  { op: 'ReduceProd', opset: 13, operands: [[2, 5, 3]], attributes: { axes: [1, 2] } },
  { op: 'GroupNormalization', opset: 18, operands: [[2, 4, 3], [2], [2]], attributes: { num_groups: 2 } },
  { op: 'GroupNormalization', opset: 21, operands: [[2, 4, 3, 2], [4], [4]], attributes: { num_groups: 2 } },
  {
    op: 'LayerNormalization',
    opset: 17,
    operands: [
      [2, 3, 4],
      [3, 4],
      [3, 4],
    ],
    attributes: { axis: 1 },
    outputs: 3,
  },
  { op: 'InstanceNormalization', opset: 9, operands: [[2, 3, 5], [3], [3]] },
  { op: 'BatchNormalization', opset: 15, operands: [[2, 2, 3], [2], [2], [2], floats(0.5, 2)] },
  {
    op: 'LRN',
    opset: 13,
    operands: [[1, 5, 2, 2]],
    attributes: { size: 3, alpha: { float: 0.3 }, bias: { float: 2 } },
  },
  { op: 'Gelu', opset: 20, operands: [[9]] },
  { op: 'Gelu', opset: 20, operands: [[9]], attributes: { approximate: 'tanh' } },
  { op: 'Mish', opset: 18, operands: [[9]] },
  { op: 'QuickGelu', opset: 17, domain: 'com.microsoft', operands: [[9]] },
  { op: 'FastGelu', opset: 17, domain: 'com.microsoft', operands: [[2, 4], [4]] },
  { op: 'MatMul', opset: 13, operands: [[3], [2, 3, 4]] },
  { op: 'MatMul', opset: 13, operands: [[2, 4, 3], [3]] },
  { op: 'MatMul', opset: 13, operands: [[3], [3]] },
  {
    ...{
      op: 'FusedMatMul',
      opset: 17,
      domain: 'com.microsoft',
      operands: [
        [4, 2, 3],
        [2, 5, 3],
      ],
    },
    attributes: { transBatchA: 1, transB: 1, alpha: { float: 0.5 } },
  },
  { op: 'Gemm', opset: 13, operands: [[3, 2], [4, 3], [4]], attributes: { transA: 1, transB: 1, beta: { float: 2 } } },
  ...[
    'bij,bjk->bik',
    'ij,kj->ik',
    'bhqd,bhkd->bhqk',
    'ii->i',
    'i,j',
    'ijk->j',
    'ij,ij->',
    '...ij,jk->...ik',
    'bchw,c->bhw',
  ].map((equation): OperatorCase => {
    const sizes: Record<string, Shape> = { '.': [2, 3], b: [2] };
    const size = (letter: string) => sizes[letter] ?? [{ c: 3, i: 4, j: 5, k: 2, h: 2, w: 4, q: 3, d: 5 }[letter]!];
    const terms = equation.split('->')[0]!.split(',');
    const operands = terms.map((term) => [...term.replace('...', '.')].flatMap(size));
    return { op: 'Einsum', opset: 12, operands, attributes: { equation } };
  }),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((mode): OperatorCase[] => [
    {
      op: 'Conv',
      opset: 11,
      operands: [
        [1, 2, 6, 5],
        [3, 2, 4, 3],
      ],
      attributes: { auto_pad: mode, strides: [2, 1] },
    },
    {
      op: 'MaxPool',
      opset: 12,
      operands: [[1, 2, 6, 5]],
      attributes: { auto_pad: mode, kernel_shape: [4, 3], strides: [2, 2] },
    },
    {
      op: 'ConvTranspose',
      opset: 11,
      operands: [
        [1, 2, 3, 4],
        [2, 3, 3, 3],
      ],
      attributes: { auto_pad: mode, strides: [2, 2] },
    },
  ]),
  {
    op: 'Conv',
    opset: 11,
    operands: [[2, 4, 9], [6, 2, 3], [6]],
    attributes: { group: 2, dilations: [2], pads: [1, 2] },
  },
  {
    op: 'Conv',
    opset: 11,
    operands: [[1, 4, 4, 5, 3], [6, 2, 2, 3, 2], [6]],
    attributes: { group: 2, strides: [1, 2, 1], pads: [1, 0, 1, 0, 2, 0] },
  },
  {
    op: 'ConvTranspose',
    opset: 11,
    operands: [[1, 2, 5], [2, 2, 3], [4]],
    attributes: { group: 2, strides: [2], output_padding: [1] },
  },
  ...[0, 1].flatMap((included): OperatorCase[] => [
    {
      ...{ op: 'AveragePool', opset: 19, operands: [[1, 2, 7, 6]] },
      attributes: {
        kernel_shape: [3, 3],
        strides: [2, 2],
        pads: [1, 0, 1, 1],
        ceil_mode: 1,
        count_include_pad: included,
      },
    },
    {
      ...{ op: 'AveragePool', opset: 11, operands: [[1, 2, 9]] },
      attributes: { kernel_shape: [3], strides: [2], pads: [1, 1], count_include_pad: included },
    },
    {
      ...{ op: 'AveragePool', opset: 11, operands: [[1, 2, 5, 4, 3]] },
      attributes: { kernel_shape: [2, 2, 2], pads: [1, 0, 0, 0, 1, 1], count_include_pad: included },
    },
  ]),
  {
    op: 'MaxPool',
    opset: 12,
    operands: [[1, 2, 9, 8]],
    attributes: { kernel_shape: [3, 2], dilations: [2, 3], ceil_mode: 1, strides: [2, 2] },
  },
  { op: 'MaxPool', opset: 12, operands: [[2, 2, 7]], attributes: { kernel_shape: [3], strides: [2] }, outputs: 2 },
  { op: 'LpPool', opset: 11, operands: [[1, 2, 6, 6]], attributes: { kernel_shape: [2, 3], p: 3 } },
  {
    op: 'ScatterND',
    opset: 16,
    operands: [[4, 3], { ints: [2, 0, 2], shape: [3, 1] }, [3, 3]],
    attributes: { reduction: 'add' },
  },
  {
    op: 'ScatterElements',
    opset: 16,
    operands: [[3, 4], { ints: [2, 0, 2, 1], shape: [2, 2] }, [2, 2]],
    attributes: { reduction: 'add' },
  },
  { op: 'ScatterElements', opset: 13, operands: [[3, 4], { ints: [2, -3, 1, 1], shape: [2, 2] }, [2, 2]] },
  { op: 'GatherND', opset: 12, operands: [[2, 3, 4], { ints: [1, -1], shape: [2, 1] }], attributes: { batch_dims: 1 } },
  { op: 'Gather', opset: 13, operands: [[3, 4], { ints: [-1, 0, 2, 1], shape: [2, 2] }], attributes: { axis: 1 } },
  {
    op: 'GatherElements',
    opset: 13,
    operands: [[3, 4], { ints: [-1, 0, 2, 1], shape: [2, 2] }],
    attributes: { axis: 0 },
  },
  { op: 'TopK', opset: 11, operands: [[5, 3], ints(2)], attributes: { axis: 0, largest: 0 }, outputs: 2 },
  { op: 'ArgMax', opset: 13, operands: [[3, 5]], attributes: { axis: 1, keepdims: 0 } },
  { op: 'CumSum', opset: 14, operands: [[3, 5], int(-1)], attributes: { reverse: 1, exclusive: 1 } },
  { op: 'Slice', opset: 13, operands: [[5, 6], ints(-1, 9), ints(-99, 1), ints(0, 1), ints(-2, -3)] },
  { op: 'Slice', opset: 9, operands: [[5, 6]], attributes: { starts: [1, -3], ends: [4, 99], axes: [0, 1] } },
  { op: 'Softmax', opset: 11, operands: [[2, 3, 4]] },
  { op: 'LogSoftmax', opset: 13, operands: [[2, 3, 4]], attributes: { axis: 0 } },
  { op: 'Trilu', opset: 14, operands: [[2, 4, 5], int(1)], attributes: { upper: 0 } },
  { op: 'Tile', opset: 13, operands: [[2, 3], ints(2, 3)] },
  { op: 'Expand', opset: 13, operands: [[2, 1], ints(3, 1, 4)] },
  { op: 'Mod', opset: 13, operands: [[9], [9]], attributes: { fmod: 1 } },
  { op: 'Pow', opset: 15, operands: [[9], floats(3)] },
  { op: 'Clip', opset: 9, operands: [[9]], attributes: { min: { float: -0.5 }, max: { float: 0.25 } } },
  { op: 'Clip', opset: 13, operands: [[9], null, { floats: [0.25], shape: [] }] },
  {
    op: 'PRelu',
    opset: 16,
    operands: [
      [2, 3, 4],
      [3, 1],
    ],
  },
  { op: 'DepthToSpace', opset: 13, operands: [[1, 8, 2, 3]], attributes: { blocksize: 2, mode: 'CRD' } },
  { op: 'SpaceToDepth', opset: 13, operands: [[1, 2, 4, 6]], attributes: { blocksize: 2 } },
  { op: 'ReduceLogSumExp', opset: 18, operands: [[2, 5], ints(1)] },
  { op: 'Shape', opset: 15, operands: [[2, 3, 4]], attributes: { start: 1, end: -1 } },
];

function attribute(
  name: string,
  value: number | string | readonly number[] | { readonly float: number },
): OnnxAttribute {
  if (typeof value === 'string') return { name, string: value };
  if (typeof value === 'number') return { name, int: value };
  return 'float' in value ? { name, float: value.float } : { name, ints: value };
}

/** The model of one node; float operands given by a shape are inputs. */
function encoded({ op, opset, domain = '', operands, attributes = {}, outputs = 1 }: OperatorCase): Uint8Array {
  const names = operands.map((one, i) => (one === null ? '' : `x${i}`));
  const initializers = operands.flatMap((one, i): OnnxInitializer[] => {
    if (one === null || !('ints' in one || 'floats' in one)) return [];
    const [dtype, values] = 'ints' in one ? (['int64', one.ints] as const) : (['float32', one.floats] as const);
    return [{ name: `x${i}`, dtype, shape: one.shape ?? [values.length], data: elementsOf(dtype, values) }];
  });
  const inputs = operands.flatMap((one, i) =>
    Array.isArray(one) ? [{ name: `x${i}`, dtype: 'float32' as const, shape: one as Shape }] : [],
  );
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const node = {
    ...{ opType: op, domain, name: op, inputs: names, outputs: results },
    attributes: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  };
  const open = results.map((name, i) => ({
    ...{ name, dtype: i > 0 && (op === 'TopK' || op === 'MaxPool') ? ('int64' as const) : ('float32' as const) },
    shape: null,
  }));
  if (op === 'ArgMax' || op === 'Shape') open[0] = { ...open[0]!, dtype: 'int64' };
  return encodeModel({ name: 'one', nodes: [node], inputs, outputs: open, initializers }, { opset });
}

function labelOf({ op, opset, operands, attributes = {} }: OperatorCase): string {
  return `${op} of opset ${opset} on ${JSON.stringify(operands)} with ${JSON.stringify(attributes)}`;
}

describe('an imported operator', () => {
  test.each(cases.map((one) => [labelOf(one), one] as const))('does what the runtime does: %s', async (_label, one) => {
    const bytes = encoded(one);
    const model = importOnnx(bytes);
    const ports = model.inputs.map(
      ({ name, shape }) => [name, placeholder({ dtype: 'float32', shape: shape as number[] })] as const,
    );
    const graph = closeGraph(
      ports.map(([name, x]) => [`in.${name}`, x]),
      Object.entries(model.apply({}, Object.fromEntries(ports))).map(([name, y]) => [`out.${name}`, y]),
    );
    const arrays: Record<string, HostArray> = Object.fromEntries(
      // Shuffled and far from each other: no ties. Variances, operand 4, are constants.
      ports.map(([name, { shape }], index) => [
        name,
        Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(12.9898 * (i + 1) + index) * 1.5),
      ]),
    );
    const ours = Object.fromEntries(Object.entries(arrays).map(([name, values]) => [`in.${name}`, values]));
    const specs = graph.outputs.map(({ name, value }) => tensorSpec(name.slice(4), graph.values[value]));
    const source = {
      bytes,
      inputs: model.inputs.map(({ name, shape }) => ({ name, dtype: 'float32' as const, shape: shape as number[] })),
      outputs: specs,
    };
    const { outputs: wanted } = await runModel(runtime, source, { inputs: arrays });
    const run = await executeGraph(runtime, graph, ours);
    const exact = interpret(graph, ours);
    for (const { name, dtype } of specs) {
      const values = Float64Array.from(wanted[name] as ArrayLike<number | bigint>, Number);
      const tolerance = dtypeFacts[dtype].isFloat ? 5e-6 : 0;
      expect(relativeError(run[`out.${name}`], values), 'in the runtime').toBeLessThanOrEqual(tolerance);
      expect(relativeError(exact[`out.${name}`], values), 'by the references').toBeLessThanOrEqual(tolerance);
    }
  });
});
