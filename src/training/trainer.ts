/** The training state in the runtime's memory: one optimiser update at a time, evaluation, checkpoints. */
import type { HostArray } from '../engine/dtype.ts';
import { float16Fault } from '../engine/float16-support.ts';
import type { Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import type { Runtime, SessionOptions } from '../engine/runtime.ts';
import { createStepper, type HostArrays, type Stepper } from '../engine/stepper.ts';
import type { TensorType } from '../engine/tensor.ts';
import { isTensorType } from '../engine/trace.ts';
import { flattenTree } from '../engine/tree.ts';
import { ConfigError } from '../errors.ts';
import type { PreparationParts, PreparedBatch } from './batches.ts';
import { type Checkpoint, type Retention, writeCheckpoint } from './checkpoint.ts';
import { type EmaOptions, emaWeight } from './ema.ts';
import { afterOverflow, afterUpdate, type LossScale, lossScaleState, startingLossScale } from './loss-scale.ts';
import { lostState, nonFiniteError } from './non-finite.ts';
import { PARAMETERS } from './parameter-update.ts';
import type { Schedule } from './schedule.ts';
import { accumulateGraph, evaluateGraph, type StepParts, stateTypes, stepGraph, updateGraph } from './step.ts';
import {
  couplingState,
  emptyAccumulated,
  type HostState,
  restoreState,
  startingState,
  stateTensors,
} from './trainer-state.ts';

export interface TrainerOptions {
  readonly runtime: Runtime;
  readonly parts: StepParts;
  readonly preparation: PreparationParts;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly ema: EmaOptions | null;
  /** Starting values of the parameters by path; a function makes them when they are written, so that they are in memory once. */
  readonly initial: Readonly<Record<string, Float32Array>> | ((path: string) => Float32Array);
  /**
   * Whether a step writes over the state instead of beside it: half the memory of parameters, moments and averages. A step that is not
   * finite then leaves the last checkpoint only. Default false.
   */
  readonly inPlace?: boolean;
  readonly session?: SessionOptions;
  /** Where loss scaling begins in mixed precision. Default `startingLossScale`. */
  readonly lossScale?: LossScale;
}

export interface StepResult {
  /** Images seen after the step. */
  readonly imagesSeen: number;
  /** Mean loss of the step's batches. */
  readonly loss: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Means of the parts of the loss, by name, where it has several. */
  readonly terms?: Readonly<Record<string, number>>;
  /** How the step's pictures use the codebook; absent where there is none. */
  readonly codes?: CodeReport;
  /** Loss scaling after the step; absent where the loss is not scaled. */
  readonly lossScale?: Pick<LossScale, 'value' | 'skipped'>;
}

/** Use of a codebook in a step. */
export interface CodeReport {
  /** Codes that were chosen. */
  readonly used: number;
  /** exp of the entropy of the choices. */
  readonly perplexity: number;
  /** Dead codes that were replaced after the step. */
  readonly revived: number;
}

/** The training state in the runtime's memory, and what can be done with it. */
export interface Trainer {
  readonly imagesSeen: number;
  readonly updates: number;
  /** Images of one step. */
  readonly imagesPerStep: number;
  /**
   * One optimiser update on prepared batches (as many as are accumulated).
   * @param whileRunning  called when the last batch has been handed over: the time to prepare the next.
   *
   * In mixed precision, an update whose gradient is not finite is skipped, and made again on the same batches with half the loss scale,
   * so that progress counts updates that were made.
   * @throws NumericalError naming the first offending tensor if the loss is not finite, or the gradient, in mixed precision under a scale
   *   of 1, too; the state is then as before, unless steps write in place.
   */
  step(batches: readonly PreparedBatch[], whileRunning?: () => void): Promise<StepResult>;
  /** Loss of each sample of a batch by the averaged parameters (by the raw ones where no average is kept). */
  evaluate(inputs: HostArrays): Promise<HostArray>;
  /** A copy of the named state tensors, or of all. */
  readState(names?: Iterable<string>): Promise<Record<string, HostArray>>;
  /**
   * Writes a checkpoint and removes old ones.
   * @returns its path.
   * @throws NumericalError if the state is not finite, and then writes nothing; DataError if the disk refuses.
   */
  save(folder: string, retention: Retention): Promise<string>;
  /** Continues from a checkpoint. @throws CheckpointError if it is of another model, optimiser, coupling or seed. */
  restore(checkpoint: Checkpoint): Promise<void>;
  release(): void;
}

function programsOf({ runtime, parts, session = {} }: TrainerOptions) {
  const { provider, channelBlock } = runtime;
  const program = (graph: Graph) => ({ model: emitModel(graph, { provider, channelBlock }), session });
  return {
    evaluate: program(evaluateGraph(parts, parts.ema ? 'ema' : PARAMETERS)),
    ...(parts.accumulate === 1
      ? { step: program(stepGraph(parts)) }
      : { accumulate: program(accumulateGraph(parts)), update: program(updateGraph(parts)) }),
  };
}

/**
 * Compiles the step and allocates the state with starting values.
 * @throws ShapeError if the model's graph cannot be traced; RuntimeError if ONNX Runtime refuses it; ConfigError if the runtime has no float16
 *   for mixed precision.
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { runtime, parts, initial, inPlace = false } = options;
  if (parts.precision === 'mixed') await checkFloat16(runtime);
  const stepper = await createStepper(runtime, { state: stateTypes(parts), programs: programsOf(options), inPlace });
  for (const [path] of flattenTree<TensorType>(parts.parameters, isTensorType)) {
    const values = typeof initial === 'function' ? initial(path) : initial[path];
    await stepper.writeState(startingState({ [path]: values }, parts));
  }
  return trainerOver(stepper, options);
}

/** @throws ConfigError if the runtime does not compute in float16. */
async function checkFloat16(runtime: Runtime): Promise<void> {
  const fault = await float16Fault(runtime);
  if (fault === null) return;
  throw new ConfigError({
    expected: `provider ${runtime.provider} to compute in float16, for \`training.precision\` mixed`,
    got: `"${fault}"`,
    where: 'training/trainer',
    remedy: '`training.precision` float32, or a GPU with float16 (of WebGPU, the feature shader-f16)',
  });
}

function trainerOver(stepper: Stepper, options: TrainerOptions): Trainer {
  const { parts, preparation } = options;
  const progress = { imagesSeen: 0, updates: 0 };
  const scaling: { current: LossScale | null } = {
    current: parts.precision === 'mixed' ? (options.lossScale ?? startingLossScale) : null,
  };
  const imagesPerStep = parts.batch * parts.accumulate;
  const hosts = [...scaleStates(scaling), couplingState(preparation.coupling)];
  const saved = { state: stateTypes(parts), hosts, seed: preparation.seed };
  return {
    imagesPerStep,
    get imagesSeen() {
      return progress.imagesSeen;
    },
    get updates() {
      return progress.updates;
    },
    async step(batches, whileRunning = () => {}) {
      const learningRate = options.learningRate * options.schedule(progress.imagesSeen);
      for (const { commit } of batches) commit();
      const scalars = updateScalars(options, { update: progress.updates + 1, learningRate });
      const update = { batches, scalars, whileRunning, ...progress };
      const { lossScale, ...results } = await finiteUpdate(stepper, options, { ...update, lossScale: scaling.current });
      scaling.current = lossScale;
      progress.imagesSeen += imagesPerStep;
      progress.updates += 1;
      return { imagesSeen: progress.imagesSeen, learningRate, ...results, ...toldScale(lossScale) };
    },
    evaluate: async (inputs) => (await stepper.run('evaluate', { inputs })).losses,
    readState: (names) => stepper.readState(names),
    async save(folder, retention) {
      const tensors = stateTensors(stepper, saved);
      return writeCheckpoint(folder, { tensors, ...progress, seed: preparation.seed }, retention);
    },
    async restore(checkpoint) {
      await restoreState(stepper, checkpoint, saved);
      progress.imagesSeen = checkpoint.facts.imagesSeen;
      progress.updates = checkpoint.facts.updates;
    },
    release: () => stepper.release(),
  };
}

function updateScalars(
  { parts, ema }: TrainerOptions,
  context: { readonly update: number; readonly learningRate: number },
): HostArrays {
  const values = {
    ...parts.optimizer.scalars(context),
    ...(ema === null ? {} : { emaWeight: emaWeight(ema, context.update) }),
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Float32Array.of(value)]));
}

function scaleStates(scaling: { current: LossScale | null }): HostState[] {
  const { current } = scaling;
  if (current === null) return [];
  return [
    lossScaleState(
      () => scaling.current ?? current,
      (scale) => {
        scaling.current = scale;
      },
    ),
  ];
}

/** Loss scaling as a step tells it. */
function toldScale(scale: LossScale | null): Pick<StepResult, 'lossScale'> {
  return scale === null ? {} : { lossScale: { value: scale.value, skipped: scale.skipped } };
}

interface Update {
  readonly batches: readonly PreparedBatch[];
  readonly scalars: HostArrays;
  readonly whileRunning: () => void;
  /** Loss scaling before the update; `null` where the loss is not scaled. */
  readonly lossScale: LossScale | null;
  /** Images seen before the update. */
  readonly imagesSeen: number;
}

/**
 * Updates; where the scaled gradient is not finite, skips the update and makes it with half the scale.
 * @returns also the loss scaling after the update.
 * @throws NumericalError if loss or gradient is not finite whatever the scale; the state is then as before, unless steps write in place.
 */
async function finiteUpdate(stepper: Stepper, options: TrainerOptions, update: Update) {
  const { parts, runtime } = options;
  const whole = { ...parts, accumulate: 1 };
  let { lossScale, whileRunning } = update;
  for (;;) {
    const scale = lossScale === null ? {} : { lossScale: Float32Array.of(lossScale.value) };
    const results = await runUpdate(stepper, { ...update, whileRunning, scale });
    const lossIsFinite = Number.isFinite(results.loss);
    if (lossIsFinite && Number.isFinite(results.gradientNorm))
      return { ...results, lossScale: lossScale === null ? null : afterUpdate(lossScale) };
    if (options.inPlace) throw lostState(results, update.imagesSeen);
    await stepper.revert(parts.accumulate === 1 ? 'step' : 'update');
    await stepper.writeState(emptyAccumulated(stateTypes(parts)));
    const next = lossIsFinite && lossScale !== null ? afterOverflow(lossScale) : null;
    if (next === null) {
      throw await nonFiniteError(runtime, {
        stepper,
        graph: stepGraph(whole),
        state: stateTypes(whole),
        results,
        imagesSeen: update.imagesSeen,
        batches: update.batches.map(({ inputs }) => inputs),
        scalars: { ...update.scalars, ...scale },
        mixed: lossScale !== null,
      });
    }
    lossScale = next;
    // The next batch is being prepared.
    whileRunning = () => {};
  }
}

type UpdateRun = Pick<Update, 'batches' | 'scalars' | 'whileRunning'> & { readonly scale: HostArrays };

async function runUpdate(stepper: Stepper, { batches, scalars, whileRunning, scale }: UpdateRun) {
  if (batches.length === 1) {
    const running = stepper.run('step', { inputs: { ...batches[0].inputs, ...scalars, ...scale } });
    whileRunning();
    const { loss, gradientNorm } = await running;
    return { loss: Number(loss[0]), gradientNorm: Number(gradientNorm[0]) };
  }
  let total = 0;
  for (const [index, { inputs }] of batches.entries()) {
    const running = stepper.run('accumulate', { inputs: { ...inputs, ...scale } });
    if (index === batches.length - 1) whileRunning();
    total += Number((await running).loss[0]);
  }
  const { gradientNorm } = await stepper.run('update', { inputs: scalars });
  return { loss: total / batches.length, gradientNorm: Number(gradientNorm[0]) };
}
