/** The public API: what is not listed here is not public. */

// The exact velocity field of a data set.
export { type ClosedFormField, type FieldAnswer, logDensity } from './closed-form/closed-form-field.ts';
export { engineClosedForm } from './closed-form/engine-closed-form.ts';
export { hostClosedForm } from './closed-form/host-closed-form.ts';
// Engine: ONNX models and their execution.
export { type Diagnosis, diagnose, nonFiniteOutput } from './engine/diagnose.ts';
// Engine: tensors, tracing, derivatives.
export type { DType, HostArray } from './engine/dtype.ts';
export {
  gradient,
  hessianVectorProduct,
  jacobianVectorProduct,
  vectorJacobianProduct,
} from './engine/gradient.ts';
export {
  closeGraph,
  type Graph,
  type GraphCall,
  type GraphPort,
  inlineGraph,
  type NamedTensor,
} from './engine/graph.ts';
export { hashGraph, parseGraph, printGraph } from './engine/graph-text.ts';
export { interpret } from './engine/interpreter.ts';
export { type NativeRuntime, openNativeRuntime } from './engine/native/native-runtime.ts';
export { type EmitModelOptions, emitModel } from './engine/onnx/emit.ts';
export {
  frozenParameters,
  type ImportedModel,
  importOnnx,
} from './engine/onnx/import-model.ts';
export * as ops from './engine/ops.ts';
export type { Primitive } from './engine/primitive.ts';
export { primitiveNamed, primitives } from './engine/primitives/table.ts';
export type {
  Binding,
  DeviceTensor,
  OnnxModel,
  Provider,
  RunOptions,
  Runtime,
  RuntimeOptions,
  Session,
  SessionOptions,
  TensorSpec,
} from './engine/runtime.ts';
export { elementCount, type Shape } from './engine/shape.ts';
export {
  createStepper,
  nextName,
  type StepOptions,
  type Stepper,
  type StepperOptions,
  type StepperProgram,
} from './engine/stepper.ts';
export { placeholder, type Tensor, type TensorType } from './engine/tensor.ts';
export { isTensor, type TensorTree, type TypeTree, tensorType, trace } from './engine/trace.ts';
export { flattenTree, mapTree, type Tree } from './engine/tree.ts';
export { verifyGraph } from './engine/verify.ts';

// Errors.
export {
  CheckpointError,
  ConfigError,
  DataError,
  FlowError,
  NumericalError,
  RuntimeError,
  ShapeError,
} from './errors.ts';

// Metrics of generated samples by features.
export { balanceMetric } from './metrics/balance.ts';
export type { FeatureSet } from './metrics/feature-set.ts';
export { type FeatureStatistics, statisticsOfFeatures } from './metrics/feature-statistics.ts';
export type { FeatureNetwork } from './metrics/features/feature-network.ts';
export { type OnnxFeatureOptions, onnxFeatures } from './metrics/features/onnx-features.ts';
export { frechetMetric } from './metrics/frechet-distance.ts';
export { frechetExtrapolationMetric } from './metrics/frechet-extrapolation.ts';
export { inceptionScoreMetric } from './metrics/inception-score.ts';
export { kernelMetric, kernelSubsetMetric } from './metrics/kernel-distance.ts';
export { labelAccuracy, predictedLabels } from './metrics/label-accuracy.ts';
export { matchedSimilarity } from './metrics/matched-similarity.ts';
export { memorisationMetrics } from './metrics/memorisation.ts';
export { type Metric, metricColumn } from './metrics/metric.ts';
export { precisionRecallMetrics } from './metrics/precision-recall.ts';
export type { KeptRows } from './numerics/kept-rows.ts';

// Losses.
export { type PerceptualLoss, type PerceptualOptions, perceptualLoss } from './training/perceptual-loss.ts';
