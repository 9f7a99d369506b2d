/** Batched matrix product with transposes that are read in place, never copied, where the provider can. */
import { ShapeError } from '../../errors.ts';
import type { Emitter, LoweringCall } from '../onnx/lowering.ts';
import type { Operations, Primitive, ReferenceTensor } from '../primitive.ts';
import { broadcastShapes, elementCount, formatShape, type Shape, sameShape, stridesOf } from '../shape.ts';
import { applyPrimitive, FLOATS, requireSameDtype, type Tensor, type TensorType } from '../tensor.ts';
import { sumTo } from './arithmetic.ts';
import { dot, forEachIndex } from './reference.ts';
import { transpose, transposePrimitive } from './shape.ts';

export type MatmulAttributes = {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** The rows of A are its first axis, before the batch axes: [rows, ...batch, columns]. */
  readonly rowsFirstA: boolean;
  readonly rowsFirstB: boolean;
  readonly alpha: number;
};

/** Order of axes that takes [rows, ...batch, columns] to [...batch, rows, columns]. */
function rowsBehindBatch(rank: number): number[] {
  return [...Array.from({ length: rank - 2 }, (_, i) => i + 1), 0, rank - 1];
}

/** Order of axes that takes [...batch, rows, columns] to [rows, ...batch, columns]. */
function rowsBeforeBatch(rank: number): number[] {
  return [rank - 2, ...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1];
}

/** Batch axes and the matrix as the product sees it, before transposing. */
function matrixShape(
  shape: Shape,
  rowsFirst: boolean,
): { readonly batch: Shape; readonly rows: number; readonly columns: number } {
  const order = rowsFirst ? rowsBehindBatch(shape.length) : shape.map((_, axis) => axis);
  const seen = order.map((axis) => shape[axis]);
  return { batch: seen.slice(0, -2), rows: seen[seen.length - 2], columns: seen[seen.length - 1] };
}

function outputTypes([a, b]: readonly TensorType[], attributes: MatmulAttributes): TensorType[] {
  const dtype = requireSameDtype([a, b], 'engine matmul', FLOATS);
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError({
      expected: 'operands with at least two axes',
      got: `${formatShape(a.shape)} and ${formatShape(b.shape)}`,
      where: 'engine matmul',
    });
  }
  const left = matrixShape(a.shape, attributes.rowsFirstA);
  const right = matrixShape(b.shape, attributes.rowsFirstB);
  const [m, k] = attributes.transposeA ? [left.columns, left.rows] : [left.rows, left.columns];
  const [kB, n] = attributes.transposeB ? [right.columns, right.rows] : [right.rows, right.columns];
  if (k !== kB) {
    throw new ShapeError({
      expected: `inner sizes to agree: [${m}, ${k}] times [${k}, ...]`,
      got: `[${m}, ${k}] times [${kB}, ${n}] (from ${formatShape(a.shape)} and ${formatShape(b.shape)})`,
      where: 'engine matmul',
    });
  }
  return [{ dtype, shape: [...broadcastShapes(left.batch, right.batch, 'engine matmul'), m, n] }];
}

/** d summed over broadcast batch axes and stored in the operand's own layout. */
function inLayout(d: Tensor, operand: Tensor, rowsFirst: boolean, ops: Operations): Tensor {
  if (!rowsFirst) return sumTo(d, operand.shape, ops);
  const seen = rowsBehindBatch(operand.shape.length).map((axis) => operand.shape[axis]);
  return transpose(sumTo(d, seen, ops), rowsBeforeBatch(operand.shape.length));
}

function gradientA(b: Tensor, d: Tensor, { transposeA, transposeB, rowsFirstB, alpha }: MatmulAttributes): Tensor {
  return transposeA
    ? matmul(b, d, { transposeA: transposeB, rowsFirstA: rowsFirstB, transposeB: true, alpha })
    : matmul(d, b, { transposeB: !transposeB, rowsFirstB, alpha });
}

function gradientB(a: Tensor, b: Tensor, d: Tensor, attributes: MatmulAttributes, ops: Operations): Tensor {
  const { transposeA, transposeB, rowsFirstA, alpha } = attributes;
  if (b.shape.length === 2 && a.shape.length > 2 && !transposeA && !rowsFirstA) {
    // One product over all rows of the batch, in place of a product a sample and a sum.
    const rows = ops.reshape(a, [-1, a.shape[a.shape.length - 1]]);
    const cotangents = ops.reshape(d, [-1, d.shape[d.shape.length - 1]]);
    return transposeB
      ? matmul(cotangents, rows, { transposeA: true, alpha })
      : matmul(rows, cotangents, { transposeA: true, alpha });
  }
  return transposeB
    ? matmul(d, a, { transposeA: true, transposeB: transposeA, rowsFirstB: rowsFirstA, alpha })
    : matmul(a, d, { transposeA: !transposeA, rowsFirstA, alpha });
}

/** Transposes and a plain product, for dtypes and providers without the fused kernel. */
function lowerPlain(emit: Emitter, { inputs, inputTypes, attributes }: LoweringCall<MatmulAttributes>): string[] {
  const { transposeA, transposeB, rowsFirstA, rowsFirstB, alpha } = attributes;
  const [a, b] = inputs.map((name, i) => {
    const rank = inputTypes[i].shape.length;
    let order = (i === 0 ? rowsFirstA : rowsFirstB)
      ? rowsBehindBatch(rank)
      : Array.from({ length: rank }, (_, axis) => axis);
    if (i === 0 ? transposeA : transposeB) order = [...order.slice(0, -2), order[rank - 1], order[rank - 2]];
    return order.every((axis, place) => axis === place)
      ? name
      : emit.node('Transpose', [name], { attributes: { perm: order } });
  });
  const product = emit.node('MatMul', [a, b]);
  return [alpha === 1 ? product : emit.node('Mul', [product, emit.scalar(inputTypes[0].dtype, alpha)])];
}

function lowerFused(emit: Emitter, call: LoweringCall<MatmulAttributes>): string[] {
  const { transposeA, transposeB, rowsFirstA, rowsFirstB, alpha } = call.attributes;
  if (call.inputTypes[0].dtype === 'float64') return lowerPlain(emit, call);
  if (!transposeA && !transposeB && !rowsFirstA && !rowsFirstB && alpha === 1)
    return [emit.node('MatMul', call.inputs)];
  const flag = (value: boolean) => ({ int: Number(value) });
  return [
    emit.node('FusedMatMul', call.inputs, {
      domain: 'com.microsoft',
      attributes: {
        transA: flag(transposeA),
        transB: flag(transposeB),
        transBatchA: flag(rowsFirstA),
        transBatchB: flag(rowsFirstB),
        alpha: { float: alpha },
      },
    }),
  ];
}

/** Strides of [...batch, rows, columns] as the product sees them, batch axes broadcast to `batch`. */
function operandStrides({ shape }: ReferenceTensor, rowsFirst: boolean, transposed: boolean, batch: Shape) {
  const own = stridesOf(shape);
  const order = rowsFirst ? rowsBehindBatch(shape.length) : shape.map((_, axis) => axis);
  const seen = order.map((axis) => own[axis]);
  const sizes = order.map((axis) => shape[axis]);
  const [rows, columns] = seen.slice(-2);
  const lead = batch.length - (shape.length - 2);
  const walk = batch.map((_, axis) => (axis < lead || sizes[axis - lead] === 1 ? 0 : seen[axis - lead]));
  return { walk, rows: transposed ? columns : rows, columns: transposed ? rows : columns };
}

function reference([a, b]: readonly ReferenceTensor[], attributes: MatmulAttributes, [type]: readonly TensorType[]) {
  const batch = type.shape.slice(0, -2);
  const [m, n] = type.shape.slice(-2);
  const seenA = matrixShape(a.shape, attributes.rowsFirstA);
  const k = attributes.transposeA ? seenA.rows : seenA.columns;
  const left = operandStrides(a, attributes.rowsFirstA, attributes.transposeA, batch);
  const right = operandStrides(b, attributes.rowsFirstB, attributes.transposeB, batch);
  const result = new Float64Array(elementCount(type.shape));
  forEachIndex(batch, (offset, index) => {
    const fromA = dot(index, left.walk);
    const fromB = dot(index, right.walk);
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          sum +=
            a.data[fromA + row * left.rows + i * left.columns] *
            b.data[fromB + i * right.rows + column * right.columns];
        }
        result[(offset * m + row) * n + column] = attributes.alpha * sum;
      }
    }
  });
  return [result];
}

const plain: MatmulAttributes = {
  transposeA: false,
  transposeB: false,
  rowsFirstA: false,
  rowsFirstB: false,
  alpha: 1,
};

export const matmulPrimitive: Primitive<MatmulAttributes> = {
  name: 'matmul',
  outputTypes,
  gradient({ inputs: [a, b], attributes }, [cotangent], ops) {
    const d = cotangent as Tensor;
    return [
      inLayout(gradientA(b, d, attributes), a, attributes.rowsFirstA, ops),
      inLayout(gradientB(a, b, d, attributes, ops), b, attributes.rowsFirstB, ops),
    ];
  },
  lowering: { default: lowerFused, webgpu: lowerPlain },
  reference,
  examples: [
    { inputs: [{ shape: [2, 3] }, { shape: [3, 4] }], attributes: plain },
    {
      inputs: [{ shape: [3, 2] }, { shape: [4, 3] }],
      attributes: { ...plain, transposeA: true, transposeB: true, alpha: 0.5 },
    },
    { inputs: [{ shape: [2, 5, 3] }, { shape: [3, 4] }], attributes: plain },
    { inputs: [{ shape: [2, 5, 3] }, { shape: [4, 3] }], attributes: { ...plain, transposeB: true } },
    { inputs: [{ shape: [2, 1, 5, 3] }, { shape: [4, 3, 2] }], attributes: plain },
    {
      inputs: [{ shape: [5, 2, 2, 3] }, { shape: [4, 2, 2, 3] }],
      attributes: { ...plain, rowsFirstA: true, rowsFirstB: true, transposeB: true },
    },
    { inputs: [{ shape: [2, 2, 5, 4] }, { shape: [4, 2, 2, 3] }], attributes: { ...plain, rowsFirstB: true } },
    {
      inputs: [{ shape: [4, 2, 5] }, { shape: [2, 4, 3] }],
      attributes: { ...plain, rowsFirstA: true, transposeA: true },
    },
  ],
  counterexamples: [
    {
      inputs: [
        { dtype: 'float32', shape: [2, 3] },
        { dtype: 'float32', shape: [4, 5] },
      ],
      attributes: plain,
      message: /inner sizes to agree/,
    },
    {
      inputs: [
        { dtype: 'float32', shape: [3] },
        { dtype: 'float32', shape: [3, 5] },
      ],
      attributes: plain,
      message: /at least two axes/,
    },
  ],
};

/** The operand that a product can read in place of one that only moves the rows behind the batch axes. */
function beforeMovingRows(x: Tensor, rowsFirst: boolean): readonly [Tensor, boolean] {
  if (rowsFirst || x.shape.length < 3 || x.call?.primitive.name !== transposePrimitive.name) return [x, rowsFirst];
  // The attributes of a transpose hold its order.
  const { order } = x.call.attributes as { readonly order: Shape };
  return sameShape(order, rowsBehindBatch(x.shape.length)) ? [x.call.inputs[0], true] : [x, rowsFirst];
}

export interface MatmulOptions {
  /** Swaps the last two axes of A. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** A is [rows, ...batch, columns]: its rows stand before the batch axes. */
  readonly rowsFirstA?: boolean;
  readonly rowsFirstB?: boolean;
  /** Factor on the product. */
  readonly alpha?: number;
}

/**
 * alpha A B over the last two axes; batch axes before them broadcast.
 * @param a  float [...batch, m, k] (or [...batch, k, m] when transposed).
 * @param b  float [...batch, k, n] (or [...batch, n, k] when transposed).
 * @returns float [...batch, m, n].
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const [left, rowsFirstA] = beforeMovingRows(a, options.rowsFirstA ?? false);
  const [right, rowsFirstB] = beforeMovingRows(b, options.rowsFirstB ?? false);
  return applyPrimitive(matmulPrimitive, [left, right], { ...plain, ...options, rowsFirstA, rowsFirstB })[0];
}
