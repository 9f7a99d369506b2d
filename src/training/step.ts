/** The graphs of training: one step, its two halves for gradient accumulation, evaluation, and the network alone. */
import { gradient } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import { add, constant, divide, maximum, multiply, reduceMean, reduceSum, sqrt, subtract } from '../engine/ops.ts';
import type { StateGroups } from '../engine/state-store.ts';
import { nextName } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { isTensor, isTensorType, type TensorTree, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import type { Model } from '../models/model.ts';
import type { Path } from '../path/linear.ts';
import { velocityLoss } from './loss.ts';
import type { Optimizer } from './optimizer.ts';

export interface StepParts {
  readonly model: Model;
  /** Types of the model's parameters, in the form of its tree. */
  readonly parameters: TypeTree;
  readonly path: Path;
  readonly optimizer: Optimizer;
  /** Rows of a batch. */
  readonly batch: number;
  /** Largest global norm of the gradient; `null` for no limit. */
  readonly clip: number | null;
  /** Whether an average of the parameters is kept. */
  readonly ema: boolean;
  /** Batches whose gradients are averaged for one update. */
  readonly accumulate: number;
}

type Ports = [string, Tensor][];

/** Group of the state that holds the raw parameters; the others are `optimizer`, `ema` and `accumulated`. */
export const PARAMETERS = 'parameters';

/** Parameters as placeholders named `<group>.<path>`, in the order of the model's tree. */
function parameterInputs(parameters: TypeTree, group: string): { readonly tree: TensorTree; readonly ports: Ports } {
  const tree = mapTree<TensorType, Tensor>(parameters, isTensorType, (_path, type) => placeholder(type));
  return { tree, ports: flattenTree<Tensor>(tree, isTensor).map(([path, tensor]) => [`${group}.${path}`, tensor]) };
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

function placeholders(types: Readonly<Record<string, TensorType>>): {
  readonly inputs: Record<string, Tensor>;
  readonly ports: Ports;
} {
  const ports: Ports = Object.entries(types).map(([name, type]) => [name, placeholder(type)]);
  return { inputs: Object.fromEntries(ports), ports };
}

/** Loss of each sample, [batch]. */
function batchLosses(
  { model, path }: StepParts,
  parameters: TensorTree,
  inputs: Readonly<Record<string, Tensor>>,
): Tensor {
  const { source, target, time, labels = null, jitter = null } = inputs;
  const { xt, velocity } = path.sample({ source, target, time, jitter });
  return velocityLoss(model.apply(parameters, { x: xt, time, labels }), velocity);
}

/** Root of the sum of squares over all tensors, []. */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  return sqrt(tensors.map((tensor) => reduceSum(multiply(tensor, tensor))).reduce((a, b) => add(a, b)));
}

/**
 * Gradients scaled so that their global norm is at most `clip`. Source: [pascanu:13], algorithm 1.
 * @returns also the norm before scaling.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], clip: number | null) {
  const norm = globalNorm(gradients);
  if (clip === null) return { gradients, norm };
  const factor = divide(clip, maximum(norm, clip));
  return { gradients: gradients.map((part) => multiply(part, factor)), norm };
}

/** Names and types of the scalars that an update takes as inputs. */
function scalarTypes({ optimizer, ema }: StepParts): Record<string, TensorType> {
  const names = [...optimizer.scalarNames, ...(ema ? ['emaWeight'] : [])];
  return Object.fromEntries(names.map((name) => [name, tensorType([])]));
}

/** Outputs that replace parameters, optimiser slots and average. */
function updateOutputs(
  parts: StepParts,
  parameters: Ports,
  gradients: readonly Tensor[],
  scalars: Readonly<Record<string, Tensor>>,
) {
  const inputs: Ports = [];
  const outputs: Ports = [];
  for (const [index, [name, parameter]] of parameters.entries()) {
    const path = name.slice(PARAMETERS.length + 1);
    const state = (group: string): Tensor => {
      const tensor = placeholder(parameter);
      inputs.push([`${group}.${path}`, tensor]);
      return tensor;
    };
    const slots = Object.fromEntries(parts.optimizer.slots.map((slot) => [slot, state(`optimizer.${slot}`)]));
    const next = parts.optimizer.update({ parameter, gradient: gradients[index], slots }, scalars);
    outputs.push([nextName(name), next.parameter]);
    for (const slot of parts.optimizer.slots) outputs.push([nextName(`optimizer.${slot}.${path}`), next.slots[slot]]);
    if (!parts.ema) continue;
    const average = state('ema');
    outputs.push([
      nextName(`ema.${path}`),
      add(average, multiply(subtract(next.parameter, average), scalars.emaWeight)),
    ]);
  }
  return { inputs, outputs };
}

/** One whole training step: forward, backward, clipping, optimiser, average. Results: `loss` and `gradientNorm`, []. */
export function stepGraph(parts: StepParts): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const batch = placeholders(batchTypes(parts));
  const scalars = placeholders(scalarTypes(parts));
  const loss = reduceMean(batchLosses(parts, tree, batch.inputs));
  const raw = gradient(
    loss,
    ports.map(([, tensor]) => tensor),
  ) as readonly Tensor[];
  const { gradients, norm } = clipByGlobalNorm(raw, parts.clip);
  const { inputs, outputs } = updateOutputs(parts, ports, gradients, scalars.inputs);
  return closeGraph(
    [...ports, ...inputs, ...batch.ports, ...scalars.ports],
    [...outputs, ['loss', loss], ['gradientNorm', norm]],
  );
}

/** First half of a step in parts: adds the batch's gradients to group `accumulated`. Result: `loss`, []. */
export function accumulateGraph(parts: StepParts): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const batch = placeholders(batchTypes(parts));
  const loss = reduceMean(batchLosses(parts, tree, batch.inputs));
  const gradients = gradient(
    loss,
    ports.map(([, tensor]) => tensor),
  ) as readonly Tensor[];
  const sums: Ports = ports.map(([name, tensor]) => [
    `accumulated${name.slice(PARAMETERS.length)}`,
    placeholder(tensor),
  ]);
  const outputs: Ports = sums.map(([name, sum], index) => [nextName(name), add(sum, gradients[index])]);
  return closeGraph([...ports, ...sums, ...batch.ports], [...outputs, ['loss', loss]]);
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
  const { gradients, norm } = clipByGlobalNorm(means, parts.clip);
  const { inputs, outputs } = updateOutputs(parts, ports, gradients, scalars.inputs);
  const emptied: Ports = sums.map(([name, sum]) => [nextName(name), multiply(sum, constant(0))]);
  return closeGraph([...ports, ...inputs, ...sums, ...scalars.ports], [...outputs, ...emptied, ['gradientNorm', norm]]);
}

/** Loss of each sample of a batch, with the parameters of a state group (`parameters` or `ema`). Result: `losses`, [batch]. */
export function evaluateGraph(parts: StepParts, group: string): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, group);
  const batch = placeholders(batchTypes(parts));
  return closeGraph([...ports, ...batch.ports], [['losses', batchLosses(parts, tree, batch.inputs)]]);
}

/** Specs of the whole state by group, as a stepper wants them. */
export function stateTypes({ parameters, optimizer, ema, accumulate }: StepParts): StateGroups {
  const leaves = flattenTree<TensorType>(parameters, isTensorType);
  const group = (prefix: string) =>
    leaves.map(([path, type]) => ({ name: `${prefix}.${path}`, dtype: type.dtype, shape: type.shape }));
  return {
    parameters: group(PARAMETERS),
    optimizer: optimizer.slots.flatMap((slot) => group(`optimizer.${slot}`)),
    ...(ema ? { ema: group('ema') } : {}),
    ...(accumulate > 1 ? { accumulated: group('accumulated') } : {}),
  };
}
