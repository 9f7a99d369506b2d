/** One update of parameters by their gradients, as a part of a graph: clipping, the optimiser's rule, the average. */
import { add, concat, divide, maximum, multiply, reduceSum, reshape, split, sqrt, subtract } from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
import { nextName } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { isTensor, isTensorType, type TensorTree, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import type { Optimizer } from './optimizer.ts';

/** What an update is made of. */
export interface UpdateParts {
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradient; `null` for no limit. */
  readonly clip: number | null;
  /** Whether an average of the parameters is kept. */
  readonly ema: boolean;
}

/** Inputs or outputs of a graph by name. */
export type Ports = [string, Tensor][];

/** Group of the state that holds the raw parameters; the others are `optimizer`, `ema` and `accumulated`. */
export const PARAMETERS = 'parameters';

/** Parameters as placeholders named `<group>.<path>`, in the order of the model's tree. */
export function parameterInputs(
  parameters: TypeTree,
  group: string,
): { readonly tree: TensorTree; readonly ports: Ports } {
  const tree = mapTree<TensorType, Tensor>(parameters, isTensorType, (_path, type) => placeholder(type));
  return { tree, ports: flattenTree<Tensor>(tree, isTensor).map(([path, tensor]) => [`${group}.${path}`, tensor]) };
}

/** Placeholders of the types, by name and as ports. */
export function placeholders(types: Readonly<Record<string, TensorType>>): {
  readonly inputs: Record<string, Tensor>;
  readonly ports: Ports;
} {
  const ports: Ports = Object.entries(types).map(([name, type]) => [name, placeholder(type)]);
  return { inputs: Object.fromEntries(ports), ports };
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
export function scalarTypes({ optimizer, ema }: UpdateParts): Record<string, TensorType> {
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
export function clippedUpdate(
  parts: UpdateParts,
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
function updateOutputs(parts: UpdateParts, units: readonly UpdateUnit[], scalars: Readonly<Record<string, Tensor>>) {
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
