/** All operations on tensors. */
export {
  gelu,
  geluTanh,
  leakyRelu,
  relu,
  sigmoid,
  silu,
  softplus,
} from './primitives/activation.ts';
export { add, clip, divide, maximum, minimum, multiply, type Operand, pow, subtract } from './primitives/arithmetic.ts';
export { attention } from './primitives/attention.ts';
export { bitwiseAnd, bitwiseXor } from './primitives/bitwise.ts';
export {
  and,
  cast,
  equal,
  greater,
  greaterOrEqual,
  less,
  lessOrEqual,
  not,
  or,
  select,
} from './primitives/comparison.ts';
export { constant, constantTensor } from './primitives/constant.ts';
export { rematerialise, stopGradient } from './primitives/control.ts';
export { type Conv2dOptions, conv2d } from './primitives/convolution.ts';
export type { Padding, Pair } from './primitives/convolution-geometry.ts';
export { type GroupNormOptions, groupNorm } from './primitives/group-norm.ts';
export { gather, gatherAlong, scatterAdd, scatterAlong } from './primitives/indexing.ts';
export { type MatmulOptions, matmul } from './primitives/matmul.ts';
export { type AffineOptions, layerNorm, rmsNorm } from './primitives/normalization.ts';
export { oneHot } from './primitives/one-hot.ts';
export { averagePool2d, maxPool2d, type PoolingOptions } from './primitives/pooling.ts';
export { logSumExp, type ReduceOptions, reduceMax, reduceMean, reduceSum } from './primitives/reduction.ts';
export { type ResizeOptions, resizeBilinear, resizeNearest } from './primitives/resize.ts';
export {
  broadcastTo,
  concat,
  onesLike,
  reshape,
  stack,
  transpose,
  zerosLike,
} from './primitives/shape.ts';
export { type PadCounts, pad, type SliceRange, slice, sliceAxis, split } from './primitives/slicing.ts';
export { logSoftmax, softmax } from './primitives/softmax.ts';
export { topK } from './primitives/top-k.ts';
export { type ConvTranspose2dOptions, convTranspose2d } from './primitives/transposed-convolution.ts';
export {
  abs,
  ceil,
  cos,
  erf,
  exp,
  floor,
  log,
  negate,
  reciprocal,
  round,
  sign,
  sin,
  sqrt,
  tanh,
} from './primitives/unary.ts';
