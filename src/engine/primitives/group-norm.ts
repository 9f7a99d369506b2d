/** Group norm with its affine map as one primitive: the sums that its gradient needs are then taken once, a channel at a time. */
import { ShapeError } from '../../errors.ts';
import type { Operations, Primitive } from '../primitive.ts';
import { elementCount, formatShape, type Shape } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { add, multiply, sumTo } from './arithmetic.ts';
import { throughFloat32 } from './float16.ts';
import { onesLike, reshape, zerosLike } from './shape.ts';
import { emitStandardize, type NormalizeAttributes, standardizeGradient, standardizeRows } from './standardize.ts';

type GroupNormAttributes = NormalizeAttributes & {
  /** Number of groups; divides the channels. */
  readonly groups: number;
};

/** Elements of one group of one sample. */
function groupWidth(shape: Shape, groups: number): number {
  return elementCount(shape.slice(1)) / groups;
}

/** [rows, channels] as [rows, channels, 1, ...], to multiply a tensor of the rank of `like`. */
function perChannel(values: Tensor, like: Shape): Tensor {
  return reshape(values, [...values.shape, ...like.slice(2).map(() => 1)]);
}

/**
 * Cotangents of x, scale and shift, where only the result has one. With n the normalised x, N its elements a group and s the
 * inverse deviation: S1 = sum(d), S2 = sum(d n) over positions; d(shift) = S1, d(scale) = S2 and
 * dx = s (scale d - mean(scale S1) - n mean(scale S2)), means over a group.
 */
function gradient(
  [x, scale]: readonly Tensor[],
  { normal, inverse, d }: { readonly normal: Tensor; readonly inverse: Tensor; readonly d: Tensor },
  { reduceSum, subtract }: Operations,
) {
  const [batch, channels] = x.shape;
  const groups = inverse.shape[1];
  const positions = x.shape.map((_, axis) => axis).slice(2);
  const sum = reduceSum(d, { axes: positions });
  const weighted = reduceSum(multiply(d, reshape(normal, x.shape)), { axes: positions });
  const groupMean = (values: Tensor) =>
    multiply(
      reduceSum(reshape(multiply(values, scale), [batch, groups, channels / groups]), { axes: [2], keepDims: true }),
      1 / groupWidth(x.shape, groups),
    );
  const gain = multiply(reshape(scale, [scale.shape[0], groups, channels / groups]), inverse);
  const through = multiply(d, perChannel(reshape(gain, [batch, channels]), x.shape));
  const common = add(multiply(normal, multiply(groupMean(weighted), inverse)), multiply(groupMean(sum), inverse));
  return { forX: subtract(through, reshape(common, x.shape)), sum, weighted };
}

function outputTypes([x, scale, shift]: readonly TensorType[], { groups }: GroupNormAttributes): TensorType[] {
  const where = 'engine groupNorm';
  const dtype = requireSameDtype([x, scale, shift], where, FLOATS);
  const [batch, channels] = x.shape;
  if (x.shape.length < 2 || channels % groups !== 0) {
    throw new ShapeError({
      expected: `\`groups\` to divide ${channels} channels`,
      got: `${groups} for ${formatShape(x.shape)}`,
      where,
    });
  }
  for (const { shape } of [scale, shift]) {
    if (shape.length === 2 && (shape[0] === 1 || shape[0] === batch) && shape[1] === channels) continue;
    throw new ShapeError({
      expected: `\`scale\` and \`bias\` to be [channels] = [${channels}] or [batch, channels]`,
      got: formatShape(shape),
      where,
    });
  }
  return [
    { dtype, shape: x.shape },
    { dtype, shape: [batch, groups, groupWidth(x.shape, groups)] },
    { dtype, shape: [batch, groups, 1] },
  ];
}

const shapes = (x: Shape, rows: number) => [{ shape: x }, { shape: [rows, x[1]] }, { shape: [rows, x[1]] }];

const inOneDtype: Primitive<GroupNormAttributes> = {
  name: 'groupNorm',
  outputTypes,
  gradient({ inputs: [x, scale, shift], outputs: [, normal, inverse] }, [result, dNormal, dInverse], ops) {
    const d = result ?? zerosLike(x);
    const { forX, sum, weighted } = gradient([x, scale], { normal, inverse, d }, ops);
    // Only a second derivative reaches the saved values.
    const saved =
      dNormal === null && dInverse === null
        ? null
        : standardizeGradient({ y: normal, inverse }, [dNormal, null, dInverse], ops);
    const whole = saved === null ? forX : add(forX, reshape(saved, x.shape));
    return [whole, sumTo(weighted, scale.shape, ops), sumTo(sum, shift.shape, ops)];
  },
  lowering: {
    default(
      emit,
      {
        inputs: [x, scale, shift],
        inputTypes: [type, { shape: rows }],
        outputTypes: [, grouped],
        attributes: { epsilon },
      },
    ) {
      const [batch, channels] = type.shape;
      const positions = elementCount(type.shape.slice(2));
      const width = grouped.shape[2];
      const flat = emit.node('Reshape', [x, emit.ints(grouped.shape)]);
      const [normal, , inverse] = emitStandardize(emit, flat, { dtype: type.dtype, width, epsilon });
      const column = (name: string) => emit.node('Reshape', [name, emit.ints([rows[0], channels, 1])]);
      const lines = emit.node('Reshape', [normal, emit.ints([batch, channels, positions])]);
      const result = emit.node('Add', [emit.node('Mul', [lines, column(scale)]), column(shift)]);
      return [emit.node('Reshape', [result, emit.ints(type.shape)]), normal, inverse];
    },
  },
  reference([x, scale, shift], { groups, epsilon }) {
    const [normal, , inverse] = standardizeRows(x, groupWidth(x.shape, groups), epsilon);
    const [, channels] = x.shape;
    const positions = elementCount(x.shape.slice(2));
    const result = normal.map((value, i) => {
      const line = Math.floor(i / positions);
      const at = (scale.shape[0] === 1 ? 0 : Math.floor(line / channels)) * channels + (line % channels);
      return value * scale.data[at] + shift.data[at];
    });
    return [result, normal, inverse];
  },
  examples: [
    { inputs: shapes([2, 4, 3, 2], 2), attributes: { groups: 2, epsilon: 1e-5 } },
    { inputs: shapes([3, 4, 5], 1), attributes: { groups: 4, epsilon: 1e-2 } },
  ],
  counterexamples: [
    {
      inputs: shapes([2, 4, 3], 2).map(({ shape }) => ({ dtype: 'float32', shape })),
      attributes: { groups: 3, epsilon: 1e-5 },
      message: /to divide 4 channels/,
    },
    {
      inputs: [
        [2, 4, 3],
        [1, 3],
        [1, 4],
      ].map((shape) => ({ dtype: 'float32', shape })),
      attributes: { groups: 2, epsilon: 1e-5 },
      message: /to be \[channels\] = \[4\]/,
    },
  ],
};

/** scale n + shift, with n the x normalised over each group of channels and all positions [wu:18]; also n and the inverse deviation. */
export const groupNormPrimitive = throughFloat32(inOneDtype, 2);

export interface GroupNormOptions {
  /** Factor, [channels] or [batch, channels]; absent means 1. */
  readonly scale?: Tensor | null;
  /** Offset, [channels] or [batch, channels]; absent means 0. */
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * x with mean 0 and variance 1 over each group of channels and all positions, before an optional affine map [wu:18].
 * @param x  float [batch, channels, ...positions].
 * @throws ShapeError unless `groups` divides the channels, and `scale` and `bias` are [channels] or [batch, channels].
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  { scale = null, bias = null, epsilon = 1e-5 }: GroupNormOptions = {},
): Tensor {
  const row = { dtype: x.dtype, shape: [1, x.shape[1]] };
  const rows = (values: Tensor) => (values.shape.length === 1 ? reshape(values, [1, values.shape[0]]) : values);
  const operands = [x, scale === null ? onesLike(row) : rows(scale), bias === null ? zerosLike(row) : rows(bias)];
  return applyPrimitive(groupNormPrimitive, operands, { groups, epsilon })[0];
}
