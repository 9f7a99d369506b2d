/** The graphs of training: one step, its two halves for gradient accumulation, evaluation, and the network alone. */
import { gradient } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import { inMixedPrecision } from '../engine/mixed-precision.ts';
import { add, divide, multiply, reduceMean, subtract } from '../engine/ops.ts';
import type { StateGroups } from '../engine/state-store.ts';
import { nextName } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { tensorSpec } from '../engine/tensor-spec.ts';
import { isTensor, isTensorType, type TensorTree, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree } from '../engine/tree.ts';
import type { Rematerialisation } from '../models/layers/rematerialisation.ts';
import type { ApplyOptions, Model } from '../models/model.ts';
import type { Path } from '../path/linear.ts';
import { velocityLoss } from './loss.ts';
import {
  clippedUpdate,
  PARAMETERS,
  type Ports,
  parameterInputs,
  placeholders,
  scalarTypes,
  type UpdateParts,
} from './parameter-update.ts';

/**
 * What a step computes in. `mixed`: the network in float16 where it can be, from float32 parameters, with a scaled loss; see
 * `inMixedPrecision`. The loss, the update and evaluation are float32 in either.
 */
export type Precision = 'float32' | 'mixed';

export interface StepParts extends UpdateParts {
  readonly model: Model;
  /** Types of the model's parameters, in the form of its tree. */
  readonly parameters: TypeTree;
  readonly path: Path;
  /** Rows of a batch. */
  readonly batch: number;
  /** Batches whose gradients are averaged for one update. */
  readonly accumulate: number;
  /** Whether batches of training bring what is added to the path's velocity; default false. */
  readonly corrected?: boolean;
  /** What the gradient computes again instead of keeping it; default `nothing`. */
  readonly rematerialise?: Rematerialisation;
  /** Default `float32`. */
  readonly precision?: Precision;
}

/** Types of the batch's inputs by name. */
export function batchTypes({ model, path, batch }: StepParts): Record<string, TensorType> {
  const latents = tensorType([batch, ...model.input.shape]);
  return {
    source: latents,
    target: latents,
    time: tensorType([batch]),
    ...(model.classes === null ? {} : { labels: tensorType([batch], 'int32') }),
    ...(path.sigma > 0 ? { jitter: latents } : {}),
  };
}

/** Types of the inputs in training: those of evaluation, and the correction of the velocity. */
function trainingTypes(parts: StepParts): Record<string, TensorType> {
  const types = batchTypes(parts);
  return parts.corrected === true ? { ...types, correction: types.target } : types;
}

/** The scalar that a step in mixed precision takes: the factor on the loss. */
function scaleTypes({ precision }: StepParts): Record<string, TensorType> {
  return precision === 'mixed' ? { lossScale: tensorType([]) } : {};
}

/** How the network is applied. */
type LossOptions = ApplyOptions & { readonly precision?: Precision };

/** Loss of each sample, [batch]. */
function batchLosses(
  { model, path }: Pick<StepParts, 'model' | 'path'>,
  parameters: TensorTree,
  inputs: Readonly<Record<string, Tensor>>,
  { precision = 'float32', ...options }: LossOptions = {},
): Tensor {
  const { source, target, time, labels = null, jitter = null, correction = null } = inputs;
  const { xt, velocity } = path.sample({ source, target, time, jitter });
  const wanted = correction === null ? velocity : add(velocity, correction);
  const prediction = model.apply(parameters, { x: xt, time, labels }, options);
  if (precision === 'float32') return velocityLoss(prediction, wanted);
  const tensors = flattenTree<Tensor>(parameters, isTensor).map(([, tensor]) => tensor);
  const [mixed] = inMixedPrecision([prediction], [...tensors, xt, time, ...(labels === null ? [] : [labels])]);
  return velocityLoss(mixed, wanted);
}

/** Mean loss of a batch whose gradient is taken. */
function trainingLoss(
  { rematerialise = 'nothing', precision = 'float32', ...parts }: StepParts,
  parameters: TensorTree,
  inputs: Readonly<Record<string, Tensor>>,
): Tensor {
  return reduceMean(batchLosses(parts, parameters, inputs, { rematerialise, precision }));
}

/** Gradients of the loss, float32; where it is scaled, within the network only. */
function lossGradients(
  { rematerialise }: StepParts,
  loss: Tensor,
  {
    ports,
    scalars: { lossScale },
  }: { readonly ports: Ports; readonly scalars: Readonly<Record<string, Tensor | undefined>> },
): readonly Tensor[] {
  const tensors = ports.map(([, tensor]) => tensor);
  const options = { recompute: rematerialise === 'cheap' };
  if (lossScale === undefined) return gradient(loss, tensors, options);
  // Exact, as the factor is a power of two.
  const inverse = divide(1, lossScale);
  return gradient(multiply(loss, lossScale), tensors, options).map((part) => multiply(part, inverse));
}

/** One whole training step: forward, backward, clipping, optimiser, average. Results: `loss` and `gradientNorm`, []. */
export function stepGraph(parts: StepParts): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const batch = placeholders(trainingTypes(parts));
  const scalars = placeholders({ ...scalarTypes(parts), ...scaleTypes(parts) });
  const loss = trainingLoss(parts, tree, batch.inputs);
  const gradients = lossGradients(parts, loss, { ports, scalars: scalars.inputs });
  const { inputs, outputs, norm } = clippedUpdate(parts, ports, { gradients, scalars: scalars.inputs });
  return closeGraph(
    [...ports, ...inputs, ...batch.ports, ...scalars.ports],
    [...outputs, ['loss', loss], ['gradientNorm', norm]],
  );
}

/** First half of a step in parts: adds the batch's gradients to group `accumulated`. Result: `loss`, []. */
export function accumulateGraph(parts: StepParts): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const batch = placeholders(trainingTypes(parts));
  const scalars = placeholders(scaleTypes(parts));
  const loss = trainingLoss(parts, tree, batch.inputs);
  const gradients = lossGradients(parts, loss, { ports, scalars: scalars.inputs });
  const sums: Ports = ports.map(([name, tensor]) => [
    `accumulated${name.slice(PARAMETERS.length)}`,
    placeholder(tensor),
  ]);
  const outputs: Ports = sums.map(([name, sum], index) => [nextName(name), add(sum, gradients[index])]);
  return closeGraph([...ports, ...sums, ...batch.ports, ...scalars.ports], [...outputs, ['loss', loss]]);
}

/** Second half: updates with the mean of the accumulated gradients and empties them. Result: `gradientNorm`, []. */
export function updateGraph(parts: StepParts): Graph {
  const { ports } = parameterInputs(parts.parameters, PARAMETERS);
  const scalars = placeholders(scalarTypes(parts));
  const sums: Ports = ports.map(([name, tensor]) => [
    `accumulated${name.slice(PARAMETERS.length)}`,
    placeholder(tensor),
  ]);
  const means = sums.map(([, sum]) => multiply(sum, 1 / parts.accumulate));
  const { inputs, outputs, norm } = clippedUpdate(parts, ports, { gradients: means, scalars: scalars.inputs });
  // Not times 0, which would leave zeros of both signs.
  const emptied: Ports = sums.map(([name, sum]) => [nextName(name), subtract(sum, sum)]);
  return closeGraph([...ports, ...inputs, ...sums, ...scalars.ports], [...outputs, ...emptied, ['gradientNorm', norm]]);
}

/** Loss of each sample of a batch, with the parameters of a state group (`parameters` or `ema`). Result: `losses`, [batch]. */
export function evaluateGraph(parts: StepParts, group: string): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, group);
  const batch = placeholders(batchTypes(parts));
  return closeGraph([...ports, ...batch.ports], [['losses', batchLosses(parts, tree, batch.inputs)]]);
}

/** Specs of the whole state by group, as a stepper wants them. */
export function stateTypes({
  parameters,
  optimizer,
  ema,
  accumulate,
}: Pick<StepParts, 'parameters' | 'optimizer' | 'ema' | 'accumulate'>): StateGroups {
  const leaves = flattenTree<TensorType>(parameters, isTensorType);
  const group = (prefix: string) => leaves.map(([path, type]) => tensorSpec(`${prefix}.${path}`, type));
  return {
    parameters: group(PARAMETERS),
    optimizer: optimizer.slots.flatMap((slot) => group(`optimizer.${slot}`)),
    ...(ema ? { ema: group('ema') } : {}),
    ...(accumulate > 1 ? { accumulated: group('accumulated') } : {}),
  };
}
