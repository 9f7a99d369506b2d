/**
 * Runs programs over state that stays in the runtime's memory: training steps, evaluations, samplers. Names connect a program
 * with the state: an input named like a state tensor reads it, an output named `next:<state>` replaces it; other inputs are the
 * batch, other outputs are results.
 */
import { RuntimeError, ShapeError } from '../errors.ts';
import type { HostArray } from './dtype.ts';
import type { Binding, DeviceTensor, OnnxModel, Runtime, Session, SessionOptions, TensorSpec } from './runtime.ts';
import { createStateStore, type StateGroups, type StateStore } from './state-store.ts';
import { checkElements, describeSpec } from './tensor-spec.ts';

export interface StepperProgram {
  readonly model: OnnxModel;
  readonly session?: SessionOptions;
}

export interface StepperOptions {
  /** Specs of the state by group. A program replaces a group as a whole or not at all. */
  readonly state: StateGroups;
  readonly programs: Readonly<Record<string, StepperProgram>>;
  /**
   * Whether a step writes over the state where its graph allows it, instead of beside it: half the memory. A step that fails then leaves
   * no state that could be used. Default false.
   */
  readonly inPlace?: boolean;
}

export type HostArrays = Readonly<Record<string, HostArray>>;

export interface StepOptions {
  /** Values of batch inputs, copied before `run` returns its promise. */
  readonly inputs?: HostArrays;
  /** Aborting stops the run; the state stays what it was before. */
  readonly signal?: AbortSignal;
}

/** Programs over double-buffered state. Calls are served in the order they are made. */
export interface Stepper {
  /**
   * The batch inputs of a program's next run, to be filled, all of them, before `run` is called; meanwhile the current run goes on.
   * Each run has the tensors of the run before the last.
   * @throws RuntimeError if the run that had these tensors is not finished.
   */
  inputs(program: string): Readonly<Record<string, DeviceTensor>>;
  /**
   * One run. With neither `inputs` here nor a call of `inputs()` since the last run, the batch of the last run is used again. A run
   * that fails or is aborted leaves the state as it was.
   * @returns the results, copied.
   * @throws RuntimeError if the run fails; ShapeError if inputs are missing, unknown or of another spec.
   */
  run(program: string, options?: StepOptions): Promise<Record<string, HostArray>>;
  /**
   * Takes back what the program's last run did to the state. Only directly after that run: later runs write over the old state.
   * @throws RuntimeError if it wrote in place.
   */
  revert(program: string): Promise<void>;
  /** A copy of the state, or of the named parts, after the runs asked for so far. */
  readState(names?: Iterable<string>): Promise<Record<string, HostArray>>;
  /** Overwrites the named parts of the state after the runs asked for so far. @throws ShapeError, and then writes nothing. */
  writeState(values: HostArrays): Promise<void>;
  /** Ends profiling of a program; path of the profile, or `null` where none was asked for. */
  endProfiling(program: string): string | null;
  /** Stops a run in progress and releases sessions and tensors. Idempotent. */
  release(): void;
}

const nextPrefix = 'next:';

/** Name of the output that replaces a state tensor. */
export function nextName(state: string): string {
  return nextPrefix + state;
}

/** One set of batch inputs. */
interface Batch {
  readonly tensors: Readonly<Record<string, DeviceTensor>>;
  /** Runs asked for with this batch and not finished. */
  pending: number;
}

interface Program {
  readonly name: string;
  readonly session: Session;
  readonly batchSpecs: readonly TensorSpec[];
  readonly reads: readonly string[];
  /** State tensors that the program replaces. */
  readonly writes: readonly string[];
  readonly writtenGroups: ReadonlySet<string>;
  readonly touchedGroups: readonly string[];
  readonly results: Readonly<Record<string, DeviceTensor>>;
  readonly batches: readonly [Batch, Batch];
  /** The batch of the last run. */
  slot: 0 | 1;
  /** Whether the other batch is being filled for the next run. */
  filling: boolean;
  readonly bindings: Map<string, Binding>;
}

/**
 * Compiles the programs and allocates the state, zero-filled.
 * @throws ShapeError if a program replaces part of a group, or unknown state, or with another spec.
 */
export async function createStepper(
  runtime: Runtime,
  { state, programs, inPlace = false }: StepperOptions,
): Promise<Stepper> {
  const entries = Object.entries(programs);
  const written = new Set(entries.flatMap(([name, { model }]) => [...writtenGroups(name, model, state)]));
  const single = new Set(inPlace ? overwrittenGroups(state, entries) : []);
  const store = createStateStore(runtime, state, new Set([...written].filter((group) => !single.has(group))));
  const compiled = new Map<string, Program>();
  const stepper = stepperOver(store, compiled, single);
  try {
    for (const [name, program] of entries) {
      compiled.set(name, await compileProgram(runtime, store, { name, ...program }));
    }
    return stepper;
  } catch (error) {
    stepper.release();
    throw error;
  }
}

/** Groups that a model replaces, checked to be whole. */
function writtenGroups(program: string, model: OnnxModel, state: StateGroups): ReadonlySet<string> {
  const outputs = new Map(model.outputs.map((spec) => [spec.name, spec]));
  const found = new Set<string>();
  let count = 0;
  for (const [group, specs] of Object.entries(state)) {
    const replaced = specs.filter(({ name }) => outputs.has(nextName(name)));
    count += replaced.length;
    if (replaced.length === 0) continue;
    found.add(group);
    const missing = specs.find(({ name }) => !outputs.has(nextName(name)));
    if (missing !== undefined) {
      throw programError(program, `an output \`${nextName(missing.name)}\`, as it replaces group \`${group}\``, 'none');
    }
    for (const spec of specs) checkSpec(program, spec, outputs.get(nextName(spec.name))!);
  }
  const replacing = model.outputs.filter(({ name }) => name.startsWith(nextPrefix));
  if (replacing.length > count) {
    const known = new Set(Object.values(state).flatMap((specs) => specs.map(({ name }) => nextName(name))));
    const unknown = replacing.find(({ name }) => !known.has(name))!;
    throw programError(program, 'outputs `next:...` named after the state', `\`${unknown.name}\``);
  }
  return found;
}

/** Groups that every program that replaces them may write over. */
function overwrittenGroups(
  state: StateGroups,
  programs: readonly (readonly [string, StepperProgram])[],
): readonly string[] {
  return Object.keys(state).filter((group) =>
    programs.every(
      ([name, { model }]) =>
        !writtenGroups(name, model, state).has(group) ||
        state[group]!.every((spec) => model.mayOverwrite?.(nextName(spec.name), spec.name) === true),
    ),
  );
}

interface NamedProgram extends StepperProgram {
  readonly name: string;
}

async function compileProgram(
  runtime: Runtime,
  { specs, groupOf, groups }: StateStore,
  { name, model, session: options = {} }: NamedProgram,
): Promise<Program> {
  const reads = model.inputs.filter((spec) => specs.has(spec.name));
  for (const spec of reads) checkSpec(name, specs.get(spec.name)!, spec);
  const batchSpecs = model.inputs.filter((spec) => !specs.has(spec.name));
  const results = model.outputs.filter((spec) => !spec.name.startsWith(nextPrefix));
  const written = writtenGroups(name, model, groups);
  const session = await runtime.createSession(model, options);
  const batch = (): Batch => ({ tensors: allocateAll(runtime, batchSpecs), pending: 0 });
  return {
    name,
    session,
    batchSpecs,
    reads: reads.map((spec) => spec.name),
    writes: [...written].flatMap((group) => groups[group]!.map((spec) => spec.name)),
    writtenGroups: written,
    touchedGroups: [...new Set([...reads.map((spec) => groupOf.get(spec.name)!), ...written])],
    results: allocateAll(runtime, results),
    batches: [batch(), batch()],
    slot: 0,
    filling: false,
    bindings: new Map(),
  };
}

function stepperOver(store: StateStore, programs: ReadonlyMap<string, Program>, single: ReadonlySet<string>): Stepper {
  let released = false;
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(action: () => Promise<T> | T): Promise<T> => {
    const turn = last.then(() => {
      checkOpen(released);
      return action();
    });
    last = turn.catch(() => {});
    return turn;
  };
  const find = (name: string): Program => {
    checkOpen(released);
    const program = programs.get(name);
    if (program !== undefined) return program;
    throw new ShapeError({
      expected: `\`program\` to be one of ${[...programs.keys()].map((known) => `\`${known}\``).join(', ')}`,
      got: `\`${name}\``,
      where: 'engine/stepper',
    });
  };
  return {
    inputs: (name) => nextBatch(find(name)).tensors,
    async run(name, { inputs = {}, signal } = {}) {
      const program = find(name);
      const batch = takeBatch(program, inputs);
      batch.pending += 1;
      try {
        return await inOrder(() => step(store, program, { batch, signal }));
      } finally {
        batch.pending -= 1;
      }
    },
    revert(name) {
      const { writtenGroups } = find(name);
      if ([...writtenGroups].some((group) => single.has(group))) {
        throw new RuntimeError({
          expected: `a program that leaves the old state beside the new one, to revert \`${name}\``,
          got: 'one that writes in place',
          where: 'engine/stepper revert',
        });
      }
      return inOrder(() => store.flip(writtenGroups));
    },
    readState: (names = store.specs.keys()) => {
      const wanted = [...names];
      return inOrder(() => readAll(wanted.map((name) => [name, stateTensor(store, name)])));
    },
    writeState: (values) => inOrder(() => writeState(store, values)),
    endProfiling: (name) => find(name).session.endProfiling(),
    release() {
      if (released) return;
      released = true;
      for (const program of programs.values()) releaseProgram(program);
      store.release();
    },
  };
}

/** The batch after the last run's, marked as being filled. */
function nextBatch(program: Program): Batch {
  const batch = program.batches[otherSlot(program.slot)];
  if (batch.pending > 0) {
    throw new RuntimeError({
      expected: `at most one unfinished run of \`${program.name}\` while the next inputs are filled`,
      got: 'two',
      where: 'engine/stepper inputs',
      remedy: 'awaiting the run before the last',
    });
  }
  program.filling = true;
  return batch;
}

/** The batch for a run that is asked for now, with the given values written to it. */
function takeBatch(program: Program, inputs: HostArrays): Batch {
  const names = Object.keys(inputs);
  const { filling } = program;
  const specs = new Map(program.batchSpecs.map((spec) => [spec.name, spec]));
  for (const name of names) {
    const spec = specs.get(name);
    if (spec === undefined) throw programError(program.name, 'inputs of its batch', `\`${name}\``);
    checkElements(spec, inputs[name]!, 'engine/stepper run');
  }
  if (names.length === 0 && !filling) return program.batches[program.slot];
  const missing = filling ? undefined : program.batchSpecs.find((spec) => !Object.hasOwn(inputs, spec.name));
  if (missing !== undefined) throw programError(program.name, `a value for input \`${missing.name}\``, 'none');
  const batch = nextBatch(program);
  for (const name of names) batch.tensors[name]!.write(inputs[name]!);
  program.slot = otherSlot(program.slot);
  program.filling = false;
  return batch;
}

interface Step {
  readonly batch: Batch;
  readonly signal: AbortSignal | undefined;
}

async function step(store: StateStore, program: Program, { batch, signal }: Step): Promise<Record<string, HostArray>> {
  await program.session.run(bindingFor(store, program, batch), signal === undefined ? {} : { signal });
  store.flip(program.writtenGroups);
  return readAll(Object.entries(program.results));
}

/** The binding for the batch and the present parities; each is made once. */
function bindingFor(store: StateStore, program: Program, batch: Batch): Binding {
  const parities = program.touchedGroups.map((group) => store.parity(group));
  const key = [program.batches.indexOf(batch), ...parities].join();
  const known = program.bindings.get(key);
  if (known !== undefined) return known;
  const inputs = { ...batch.tensors, ...record(program.reads, (name) => [name, store.current(name)]) };
  const outputs = { ...program.results, ...record(program.writes, (name) => [nextName(name), store.next(name)]) };
  const binding = program.session.bind(inputs, outputs);
  program.bindings.set(key, binding);
  return binding;
}

function writeState(store: StateStore, values: HostArrays): void {
  const targets = Object.entries(values).map(([name, array]) => [stateTensor(store, name), array] as const);
  for (const [tensor, array] of targets) checkElements(tensor.spec, array, 'engine/stepper writeState');
  for (const [tensor, array] of targets) tensor.write(array);
}

function stateTensor(store: StateStore, name: string): DeviceTensor {
  if (store.specs.has(name)) return store.current(name);
  throw new ShapeError({ expected: 'names of state tensors', got: `\`${name}\``, where: 'engine/stepper' });
}

function readAll(tensors: readonly (readonly [string, DeviceTensor])[]): Record<string, HostArray> {
  return Object.fromEntries(tensors.map(([name, tensor]) => [name, tensor.read()]));
}

function releaseProgram({ session, bindings, batches, results }: Program): void {
  session.release();
  for (const binding of bindings.values()) binding.release();
  for (const { tensors } of batches) for (const tensor of Object.values(tensors)) tensor.release();
  for (const tensor of Object.values(results)) tensor.release();
}

/** Batches and results: the host fills and reads them. */
function allocateAll(runtime: Runtime, specs: readonly TensorSpec[]): Record<string, DeviceTensor> {
  return Object.fromEntries(specs.map((spec) => [spec.name, runtime.allocate(spec, { residence: 'host' })]));
}

function record<V>(names: readonly string[], entry: (name: string) => readonly [string, V]): Record<string, V> {
  return Object.fromEntries(names.map(entry));
}

function otherSlot(slot: 0 | 1): 0 | 1 {
  return slot === 0 ? 1 : 0;
}

function checkSpec(program: string, state: TensorSpec, found: TensorSpec): void {
  if (describeSpec(state) === describeSpec(found)) return;
  throw programError(program, `\`${found.name}\` of the state's ${describeSpec(state)}`, describeSpec(found));
}

function checkOpen(released: boolean): void {
  if (released) {
    throw new RuntimeError({ expected: 'stepper to be in use', got: 'a released one', where: 'engine/stepper' });
  }
}

function programError(program: string, expected: string, got: string): ShapeError {
  return new ShapeError({ expected: `program \`${program}\` to have ${expected}`, got, where: 'engine/stepper' });
}
