/** Operators `Resize` and `Upsample`, axis by axis: nearest elements by their indices, the rest as products with matrices. */
import * as o from '../../ops.ts';
import { elementCount, normalizeAxis } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import { knownOperand, type NodeCall, type Operators, operand } from '../operator.ts';
import { listOf, pick } from './index-list.ts';
import { isFloat } from './numbers.ts';
import {
  type CoordinateMode,
  coordinate,
  cubic,
  type Kernel,
  type NearestMode,
  nearest,
  type ResizeAxis,
  resizeWeights,
  triangle,
  type WeightOptions,
} from './resize-weights.ts';

/** Largest matrix of weights. */
const MOST_WEIGHTS = 2 ** 24;

/** An axis that changes, and how. */
type Change = ResizeAxis & { readonly axis: number };

/** Sizes and scales of the axes named; axes that keep their size are left out, unless a region of them is taken. */
function changesOf(node: NodeCall, x: Tensor, mode: CoordinateMode): Change[] {
  const given = node.attributes.ints('axes') ?? x.shape.map((_, axis) => axis);
  const axes = given.map((axis) => normalizeAxis(axis, x.shape.length, 'Resize'));
  const regions = node.opset < 11 ? null : knownOperand(node, 1);
  const targets = targetsOf(
    node,
    axes.map((axis) => x.shape[axis]),
  );
  return axes
    .map((axis, i) => {
      const region = [regions?.[i] ?? 0, regions?.[axes.length + i] ?? 1] as const;
      return { axis, from: x.shape[axis], region, ...targets[i] };
    })
    .filter(({ from, to, scale }) => from !== to || scale !== 1 || mode === 'tf_crop_and_resize');
}

/** Size and scale of each axis: from sizes, or from scales, which were an attribute up to opset 8. */
function targetsOf(node: NodeCall, from: readonly number[]): { readonly to: number; readonly scale: number }[] {
  const policy = node.attributes.choice('keep_aspect_ratio_policy', ['stretch', 'not_larger', 'not_smaller']);
  const sizes = node.opset < 11 ? [] : (knownOperand(node, 3) ?? []);
  const factors = node.attributes.floats('scales') ?? knownOperand(node, node.opset < 11 ? 1 : 2) ?? [];
  const list = sizes.length > 0 ? sizes : factors;
  if (list.length !== from.length) node.refuse(`${from.length} scales or sizes`, `${list.length}`);
  if (sizes.length === 0) return from.map((size, i) => ({ to: Math.floor(size * factors[i]), scale: factors[i] }));
  if (policy === 'stretch') return from.map((size, i) => ({ to: sizes[i], scale: sizes[i] / size }));
  const ratios = sizes.map((size, i) => size / from[i]);
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  // Halves up.
  return from.map((size) => ({ to: Math.floor(size * scale + 0.5), scale }));
}

function byNearest(x: Tensor, changes: readonly Change[], coordinates: CoordinateMode, rounding: NearestMode): Tensor {
  const lists = changes.map((change) =>
    listOf(change.to, (i) => nearest(rounding, coordinate(coordinates, i, change), change.from)),
  );
  const [rows, columns] = changes;
  const repeats = changes.every(
    ({ from, to }, i) => to % from === 0 && lists[i].every((at, place) => at === Math.floor((place * from) / to)),
  );
  const isPicture = x.shape.length === 4 && isFloat(x) && changes.length === 2 && rows.axis === 2 && columns.axis === 3;
  // Whole repetitions of pixels have an operation of their own, which is faster.
  if (repeats && isPicture) return o.resizeNearest(x, { size: [rows.to, columns.to] });
  return changes.reduce((result: Tensor, { axis }, i) => pick(result, axis, lists[i]), x);
}

function byWeights(
  node: NodeCall,
  x: Tensor,
  changes: readonly Change[],
  kernel: Kernel,
  options: WeightOptions,
): Tensor {
  return changes.reduce((result: Tensor, change) => {
    const { axis, from, to } = change;
    if (from * to > MOST_WEIGHTS) node.refuse(`from x to of at most ${MOST_WEIGHTS}`, `${from} x ${to}`);
    const weights = o.constantTensor(resizeWeights(change, kernel, options), [to, from], x.dtype);
    const { shape } = result;
    if (axis === shape.length - 1) return o.matmul(matrixLike(result), weights, { transposeB: true });
    const rows = o.reshape(result, [elementCount(shape.slice(0, axis)), from, elementCount(shape.slice(axis + 1))]);
    return o.reshape(o.matmul(weights, rows), shape.with(axis, to));
  }, x);
}

/** At least two axes, as a product needs. */
function matrixLike(x: Tensor): Tensor {
  return x.shape.length > 1 ? x : o.reshape(x, [1, x.shape[0]]);
}

/** Outputs whose place lies outside of the elements get a value of their own. */
function extrapolated(x: Tensor, y: Tensor, changes: readonly Change[], value: number): Tensor {
  return changes.reduce((result: Tensor, change) => {
    const { axis, from, to } = change;
    const inside = listOf(to, (i) => {
      const place = coordinate('tf_crop_and_resize', i, change);
      return Number(place >= 0 && place <= from - 1);
    });
    const shape = x.shape.map((_, i) => (i === axis ? to : 1));
    return o.select(o.constantTensor(inside, shape, 'bool'), result, value);
  }, y);
}

const coordinateModes = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
] as const;

/** How elements are found and weighed. Before opset 11 places were asymmetric, and nearest ones rounded down. */
function rulesOf(node: NodeCall) {
  const { attributes } = node;
  const old = node.opset < 11;
  return {
    mode: attributes.choice('mode', ['nearest', 'linear', 'cubic', 'bilinear']),
    coordinates: old ? ('asymmetric' as const) : attributes.choice('coordinate_transformation_mode', coordinateModes),
    rounding: old
      ? ('floor' as const)
      : attributes.choice('nearest_mode', ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']),
    excludeOutside: attributes.flag('exclude_outside', false),
    antialias: attributes.flag('antialias', false),
    a: attributes.float('cubic_coeff_a', -0.75),
    extrapolation: attributes.float('extrapolation_value', 0),
  };
}

function resize(node: NodeCall): Tensor {
  const x = operand(node, 0);
  const rules = rulesOf(node);
  const { mode, coordinates } = rules;
  const changes = changesOf(node, x, coordinates);
  for (const { from, to } of changes) if (from < 1 || to < 1) node.refuse('sizes >= 1', `${from} to ${to}`);
  if (changes.length === 0) return x;
  const kernel = mode === 'cubic' ? cubic(rules.a) : triangle;
  const options = {
    mode: coordinates,
    excludeOutside: mode === 'cubic' && rules.excludeOutside,
    antialias: rules.antialias,
  };
  const resized = (values: Tensor) =>
    mode === 'nearest'
      ? byNearest(values, changes, coordinates, rules.rounding)
      : o.reshape(byWeights(node, values, changes, kernel, options), sizesAfter(values, changes));
  const y = mode === 'nearest' || isFloat(x) ? resized(x) : o.cast(resized(o.cast(x, 'float32')), x.dtype);
  return coordinates === 'tf_crop_and_resize' ? extrapolated(x, y, changes, rules.extrapolation) : y;
}

function sizesAfter({ shape }: Tensor, changes: readonly Change[]): readonly number[] {
  return changes.reduce((sizes: readonly number[], { axis, to }) => sizes.with(axis, to), shape);
}

export const resizeOperators: Operators = {
  Resize: { inputs: [1, 4], known: [1, 2, 3], isProduct: true, apply: resize },
  Upsample: { inputs: [1, 2], known: [1], isProduct: true, apply: resize },
};
