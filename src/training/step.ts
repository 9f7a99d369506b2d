/** The graphs of training: one step, its two halves for gradient accumulation, evaluation, and the network alone. */
import { gradient } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import {
  add,
  concat,
  divide,
  maximum,
  multiply,
  reduceMean,
  reduceSum,
  reshape,
  split,
  sqrt,
  subtract,
} from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
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
  /** Whether batches of training bring what is added to the path's velocity; default false. */
  readonly corrected?: boolean;
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

/** Types of the inputs in training: those of evaluation, and the correction of the velocity. */
function trainingTypes(parts: StepParts): Record<string, TensorType> {
  const types = batchTypes(parts);
  return parts.corrected === true ? { ...types, correction: types.target } : types;
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
  const { source, target, time, labels = null, jitter = null, correction = null } = inputs;
  const { xt, velocity } = path.sample({ source, target, time, jitter });
  const wanted = correction === null ? velocity : add(velocity, correction);
  return velocityLoss(model.apply(parameters, { x: xt, time, labels }), wanted);
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

/** Parameters of at most this many elements are updated as one vector: for each alone, calling kernels costs more than computing. */
const SMALL_ELEMENTS = 16_384;

/** One tensor of the update: a large parameter, or all small ones end to end. */
interface UpdateUnit {
  readonly members: readonly { readonly path: string; readonly parameter: Tensor }[];
  readonly gradient: Tensor;
}

function updateUnits(parameters: Ports, gradients: readonly Tensor[]): UpdateUnit[] {
  const members = parameters.map(([name, parameter], index) => ({
    path: name.slice(PARAMETERS.length + 1),
    parameter,
    gradient: gradients[index],
  }));
  const isSmall = ({ parameter }: (typeof members)[number]) => elementCount(parameter.shape) <= SMALL_ELEMENTS;
  const small = members.filter(isSmall);
  const large = members
    .filter((member) => !isSmall(member))
    .map((member) => ({ members: [member], gradient: member.gradient }));
  return small.length === 0
    ? large
    : [...large, { members: small, gradient: packed(small.map(({ gradient }) => gradient)) }];
}

/** Tensors end to end, [elements]; one alone stays as it is. */
function packed(tensors: readonly Tensor[]): Tensor {
  return tensors.length === 1
    ? tensors[0]
    : concat(
        tensors.map((tensor) => reshape(tensor, [-1])),
        0,
      );
}

/** The inverse of `packed`, into the types of `like`. */
function unpacked(joined: Tensor, like: readonly Tensor[]): Tensor[] {
  if (like.length === 1) return [joined];
  return split(
    joined,
    like.map(({ shape }) => elementCount(shape)),
    0,
  ).map((part, index) => reshape(part, like[index].shape));
}

/** Clips the gradients and updates: outputs that replace parameters, optimiser slots and average, and the gradient's norm. */
function clippedUpdate(
  parts: StepParts,
  parameters: Ports,
  { gradients, scalars }: { readonly gradients: readonly Tensor[]; readonly scalars: Readonly<Record<string, Tensor>> },
) {
  const units = updateUnits(parameters, gradients);
  const clipped = clipByGlobalNorm(
    units.map(({ gradient }) => gradient),
    parts.clip,
  );
  const scaled = units.map((unit, index) => ({ ...unit, gradient: clipped.gradients[index] }));
  return { ...updateOutputs(parts, scaled, scalars), norm: clipped.norm };
}

/** Outputs that replace parameters, optimiser slots and average. */
function updateOutputs(parts: StepParts, units: readonly UpdateUnit[], scalars: Readonly<Record<string, Tensor>>) {
  const inputs: Ports = [];
  const outputs: Ports = [];
  for (const { members, gradient } of units) {
    const like = members.map(({ parameter }) => parameter);
    const state = (group: string): Tensor => {
      const ports = members.map(({ path, parameter }): [string, Tensor] => [
        `${group}.${path}`,
        placeholder(parameter),
      ]);
      inputs.push(...ports);
      return packed(ports.map(([, tensor]) => tensor));
    };
    const replace = (group: string, value: Tensor) => {
      for (const [index, part] of unpacked(value, like).entries())
        outputs.push([nextName(`${group}.${members[index].path}`), part]);
    };
    const slots = Object.fromEntries(parts.optimizer.slots.map((slot) => [slot, state(`optimizer.${slot}`)]));
    const current = { parameter: packed(like), gradient, slots };
    const next = parts.optimizer.update(current, scalars);
    replace(PARAMETERS, next.parameter);
    for (const slot of parts.optimizer.slots) replace(`optimizer.${slot}`, next.slots[slot]);
    if (!parts.ema) continue;
    const average = state('ema');
    replace('ema', add(average, multiply(subtract(next.parameter, average), scalars.emaWeight)));
  }
  return { inputs, outputs };
}

/** One whole training step: forward, backward, clipping, optimiser, average. Results: `loss` and `gradientNorm`, []. */
export function stepGraph(parts: StepParts): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const batch = placeholders(trainingTypes(parts));
  const scalars = placeholders(scalarTypes(parts));
  const loss = reduceMean(batchLosses(parts, tree, batch.inputs));
  const gradients = gradient(
    loss,
    ports.map(([, tensor]) => tensor),
  ) as readonly Tensor[];
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
