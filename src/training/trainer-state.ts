/** The training state on its way between the runtime's memory and checkpoints. */
import type { NamedArrays } from '../coupling/coupling.ts';
import { type HostArray, hostArray } from '../engine/dtype.ts';
import type { TensorSpec } from '../engine/runtime.ts';
import { elementCount, formatShape, sameShape } from '../engine/shape.ts';
import type { StateGroups } from '../engine/state-store.ts';
import type { HostArrays, Stepper } from '../engine/stepper.ts';
import { CheckpointError, NumericalError } from '../errors.ts';
import { safetensor } from '../formats/safetensors.ts';
import type { DeferredTensor } from '../formats/safetensors-file.ts';
import { type Checkpoint, type CheckpointTensor, readCheckpoint } from './checkpoint.ts';
import { PARAMETERS } from './parameter-update.ts';
import type { StepParts } from './step.ts';

const COUPLING_PREFIX = 'coupling.';

/** State of a run that begins: the given parameters, their copy as average, zeros elsewhere. */
export function startingState(
  initial: Readonly<Record<string, Float32Array>>,
  { ema }: Pick<StepParts, 'ema'>,
): HostArrays {
  return Object.fromEntries(
    Object.entries(initial).flatMap(([path, values]) => [
      [`${PARAMETERS}.${path}`, values],
      ...(ema ? [[`ema.${path}`, values] as const] : []),
    ]),
  );
}

/** Whether a group of the state holds sums of gradients, which are empty between steps. */
function isAccumulated(group: string): boolean {
  return group.split('.').at(-1) === 'accumulated';
}

/** Zeros for the sums of gradients; nothing where gradients are not accumulated. */
export function emptyAccumulated(state: StateGroups): HostArrays {
  const accumulated = Object.entries(state).flatMap(([group, specs]) => (isAccumulated(group) ? specs : []));
  return Object.fromEntries(accumulated.map(({ name, dtype, shape }) => [name, hostArray(dtype, elementCount(shape))]));
}

/** What a checkpoint holds: accumulated gradients are empty between steps. */
function savedSpecs(state: StateGroups): readonly TensorSpec[] {
  return Object.entries(state).flatMap(([group, specs]) => (isAccumulated(group) ? [] : specs));
}

/** State beside the tensors, as arrays by name. */
export interface HostState {
  /** Begins the names of its arrays in checkpoints. */
  readonly prefix: string;
  state(): NamedArrays;
  /** @throws CheckpointError if the arrays are not such a state. */
  restore(arrays: NamedArrays): void;
}

/** A coupling as state beside the tensors. */
export function couplingState(coupling: Pick<HostState, 'state' | 'restore'>): HostState {
  return {
    prefix: COUPLING_PREFIX,
    state: () => coupling.state(),
    restore: (arrays) => coupling.restore(arrays),
  };
}

/** @throws NumericalError if a value is not finite. */
function finite(name: string, values: HostArray): HostArray {
  if (values instanceof BigInt64Array) return values;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new NumericalError({
      expected: 'the state to be finite, to be saved',
      got: `${values[i]} in element ${i} of \`${name}\``,
      where: 'training/trainer save',
      remedy: 'a smaller training.optimizer.learningRate; the last checkpoint is whole',
    });
  }
  return values;
}

/**
 * The state as a checkpoint holds it. Tensors are copied out of the runtime's memory one at a time, as they are fetched, so no step may
 * run until they are; fetching one throws NumericalError if it is not finite.
 */
export function stateTensors(
  stepper: Stepper,
  { state, hosts }: Pick<RestoredParts, 'state' | 'hosts'>,
): Map<string, CheckpointTensor | DeferredTensor> {
  const tensors = new Map<string, CheckpointTensor | DeferredTensor>(
    savedSpecs(state).map(({ name, dtype, shape }) => {
      const fetch = async () => safetensor(finite(name, (await stepper.readState([name]))[name]), shape);
      return [name, { dtype: safetensor(hostArray(dtype, 0)).dtype, shape, fetch }];
    }),
  );
  for (const host of hosts) {
    for (const [name, data] of Object.entries(host.state())) {
      tensors.set(`${host.prefix}${name}`, { shape: [data.length], data });
    }
  }
  return tensors;
}

/** What the state to be restored is made of. */
interface RestoredParts {
  readonly state: StateGroups;
  readonly hosts: readonly HostState[];
  readonly seed: number;
}

/** Puts a checkpoint's state in place. @throws CheckpointError if it is of another run; the state is then as before. */
export async function restoreState(
  stepper: Stepper,
  checkpoint: Checkpoint,
  { state: groups, hosts, seed }: RestoredParts,
): Promise<void> {
  const { facts, path } = checkpoint;
  const refuse = (expected: string, got: string) =>
    new CheckpointError({
      expected,
      got,
      where: `training/trainer restore of ${path}`,
      remedy: "the run's own config",
    });
  if (facts.seed !== seed) throw refuse(`seed ${seed}`, `${facts.seed}`);
  const tensors = await readCheckpoint(checkpoint);
  const state: Record<string, HostArray> = {};
  for (const { name, dtype, shape } of savedSpecs(groups)) {
    const found = tensors.get(name);
    const wanted = `tensor \`${name}\` to be ${dtype} ${formatShape(shape)}`;
    if (found === undefined) throw refuse(wanted, 'none');
    const { data } = found;
    if (
      !sameShape(found.shape, shape) ||
      data instanceof Uint32Array ||
      hostArray(dtype, 0).constructor !== data.constructor
    )
      throw refuse(wanted, `${data.constructor.name} ${formatShape(found.shape)}`);
    state[name] = data;
    tensors.delete(name);
  }
  checkForeign(tensors, hosts, refuse);
  for (const host of hosts) host.restore(namedArrays(tensors, host.prefix));
  await stepper.writeState(state);
}

/** Arrays of the coupling in a checkpoint, for those who use it without a trainer. */
export async function readCouplingState(checkpoint: Checkpoint): Promise<NamedArrays> {
  return namedArrays(await readCheckpoint(checkpoint, COUPLING_PREFIX), COUPLING_PREFIX);
}

/** @throws CheckpointError if what the networks and the optimiser have left is nobody's. */
function checkForeign(
  tensors: ReadonlyMap<string, CheckpointTensor>,
  hosts: readonly HostState[],
  refuse: (expected: string, got: string) => CheckpointError,
): void {
  const foreign = [...tensors.keys()].filter((name) => !hosts.some(({ prefix }) => name.startsWith(prefix)));
  if (foreign.length > 0) {
    throw refuse('tensors of this model and optimiser only', `also \`${foreign.slice(0, 3).join('`, `')}\``);
  }
}

/** Arrays beside the tensors whose name begins with a prefix, without it. */
function namedArrays(tensors: ReadonlyMap<string, CheckpointTensor>, prefix: string): NamedArrays {
  return Object.fromEntries(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { data }]) => [
        name.slice(prefix.length),
        data as Int32Array | Uint32Array | Float64Array, // what `state` gives
      ]),
  );
}
