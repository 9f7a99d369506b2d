/** An autoencoder's training state in the runtime's memory: one update at a time, reconstructions, checkpoints. */
import type { HostArray } from '../engine/dtype.ts';
import type { Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import type { Runtime } from '../engine/runtime.ts';
import { createStepper, type HostArrays, type Stepper, type StepperProgram } from '../engine/stepper.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { stream } from '../numerics/stream.ts';
import {
  type AutoencoderStepParts,
  autoencoderAccumulateGraph,
  autoencoderStateTypes,
  autoencoderStepGraph,
  autoencoderUpdateGraph,
  discriminatorScalar,
  reconstructGraph,
} from './autoencoder-step.ts';
import type { PreparedBatch } from './batches.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { type CodeUse, type RevivalPlan, trackCodes } from './code-use.ts';
import { type EmaOptions, emaWeight } from './ema.ts';
import { lostState, nonFiniteError } from './non-finite.ts';
import { PARAMETERS } from './parameter-update.ts';
import type { Schedule } from './schedule.ts';
import type { StepResult, Trainer } from './trainer.ts';
import { emptyAccumulated, restoreState, startingState, stateTensors } from './trainer-state.ts';

export interface AutoencoderTrainerOptions {
  readonly runtime: Runtime;
  readonly parts: AutoencoderStepParts;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** The same of the discriminator. */
  readonly discriminatorLearningRate: number;
  readonly schedule: Schedule;
  readonly ema: EmaOptions | null;
  /** Images after which the discriminator takes part. */
  readonly adversarialStart: number;
  /** `null`: dead codes stay. */
  readonly revival: RevivalPlan | null;
  readonly seed: number;
  /** Starting values of the parameters by path. */
  readonly initial: Readonly<Record<string, Float32Array>>;
  /** The same of the discriminator; `null` without one. */
  readonly discriminatorInitial: Readonly<Record<string, Float32Array>> | null;
  /** As for a flow's trainer; default false. */
  readonly inPlace?: boolean;
}

/** Pictures and what became of them. */
export interface Reconstructed {
  /** Loss of each picture, without the adversary's, [batch]. */
  readonly losses: Float32Array;
  /** float32 [batch, channels, height, width] in [-1, 1]. */
  readonly pictures: Float32Array;
  /** int64 [batch, height, width] of the latents; `null` without a codebook. */
  readonly indices: BigInt64Array | null;
}

/** As a flow's trainer, with pictures for losses. */
export interface AutoencoderTrainer
  extends Pick<
    Trainer,
    'imagesSeen' | 'updates' | 'imagesPerStep' | 'step' | 'readState' | 'save' | 'restore' | 'release'
  > {
  /**
   * Pictures through the averaged parameters (the raw ones where no average is kept).
   * @param pixels  uint8 [batch, channels, height, width].
   */
  reconstruct(pixels: Uint8Array): Promise<Reconstructed>;
}

/** Programs of steps with and without the discriminator. */
const stages = [
  ['plain', false],
  ['adversarial', true],
] as const;

type Stage = (typeof stages)[number][0];

function programsOf({ runtime, parts, adversarialStart }: AutoencoderTrainerOptions) {
  const { provider, channelBlock } = runtime;
  const program = (graph: Graph) => ({ model: emitModel(graph, { provider, channelBlock }) });
  const used = stages.filter(([, adversarial]) =>
    adversarial ? parts.adversary !== null : parts.adversary === null || adversarialStart > 0,
  );
  const steps: Record<string, StepperProgram> = {};
  for (const [stage, adversarial] of used) {
    if (parts.accumulate === 1) {
      steps[`step-${stage}`] = program(autoencoderStepGraph(parts, adversarial));
    } else {
      steps[`accumulate-${stage}`] = program(autoencoderAccumulateGraph(parts, adversarial));
      steps[`update-${stage}`] = program(autoencoderUpdateGraph(parts, adversarial));
    }
  }
  return {
    reconstruct: program(reconstructGraph(parts, parts.ema ? 'ema' : PARAMETERS)),
    ...steps,
  };
}

/**
 * Compiles the steps and allocates the state with starting values.
 * @throws ShapeError if the networks cannot be traced; RuntimeError if ONNX Runtime refuses them.
 */
export async function createAutoencoderTrainer(options: AutoencoderTrainerOptions): Promise<AutoencoderTrainer> {
  const { runtime, parts, initial, discriminatorInitial, inPlace = false } = options;
  const stepper = await createStepper(runtime, {
    state: autoencoderStateTypes(parts),
    programs: programsOf(options),
    inPlace,
  });
  await stepper.writeState(startingState(initial, parts));
  const theirs = Object.entries(discriminatorInitial ?? {}).map(([path, values]) => [
    `discriminator.${PARAMETERS}.${path}`,
    values,
  ]);
  await stepper.writeState(Object.fromEntries(theirs));
  return trainerOver(stepper, options, trackCodes(options));
}

function trainerOver(stepper: Stepper, options: AutoencoderTrainerOptions, codes: CodeUse): AutoencoderTrainer {
  const { parts, seed } = options;
  const progress = { imagesSeen: 0, updates: 0 };
  const imagesPerStep = parts.batch * parts.accumulate;
  const saved = { state: autoencoderStateTypes(parts), hosts: [codes], seed };
  return {
    imagesPerStep,
    get imagesSeen() {
      return progress.imagesSeen;
    },
    get updates() {
      return progress.updates;
    },
    async step(batches, whileRunning = () => {}) {
      const stage = stageAt(options, progress.imagesSeen);
      const factor = options.schedule(progress.imagesSeen);
      const scalars = scalarsOf(options, { stage, update: progress.updates + 1, factor });
      const noised = batches.map(({ inputs }, index) =>
        withNoise(inputs, options, progress.imagesSeen + index * parts.batch),
      );
      const update = await runUpdate(stepper, { stage, batches: noised, scalars, whileRunning });
      if (!update.finite) {
        if (options.inPlace) throw lostState(update, progress.imagesSeen);
        await stepper.revert(`${noised.length === 1 ? 'step' : 'update'}-${stage}`);
        await stepper.writeState(emptyAccumulated(saved.state));
        throw await faultOf(stepper, { options, stage, batches: noised, scalars, results: update, ...progress });
      }
      progress.imagesSeen += imagesPerStep;
      progress.updates += 1;
      const report = await codes.after(stepper, update, progress.imagesSeen);
      const { loss, gradientNorm, terms } = update;
      const result = {
        imagesSeen: progress.imagesSeen,
        learningRate: options.learningRate * factor,
        loss,
        gradientNorm,
      };
      return { ...result, terms, ...(report === null ? {} : { codes: report }) };
    },
    async reconstruct(pixels) {
      const { losses, pictures, indices = null } = await stepper.run('reconstruct', { inputs: { pixels } });
      // Types of the graph's results.
      return { losses, pictures, indices } as Reconstructed;
    },
    readState: (names) => stepper.readState(names),
    async save(folder, retention) {
      return writeCheckpoint(folder, { tensors: await stateTensors(stepper, saved), ...progress, seed }, retention);
    },
    async restore(checkpoint) {
      await restoreState(stepper, checkpoint, saved);
      progress.imagesSeen = checkpoint.facts.imagesSeen;
      progress.updates = checkpoint.facts.updates;
    },
    release: () => stepper.release(),
  };
}

function stageAt({ parts, adversarialStart }: AutoencoderTrainerOptions, imagesSeen: number): Stage {
  return parts.adversary !== null && imagesSeen >= adversarialStart ? 'adversarial' : 'plain';
}

interface UpdateContext {
  readonly stage: Stage;
  readonly update: number;
  /** Of the schedule. */
  readonly factor: number;
}

function scalarsOf(
  { parts, ema, learningRate, discriminatorLearningRate, adversarialStart }: AutoencoderTrainerOptions,
  { stage, update, factor }: UpdateContext,
): HostArrays {
  const { optimizer, batch, accumulate } = parts;
  const values: Record<string, number> = {
    ...optimizer.scalars({ update, learningRate: learningRate * factor }),
    ...(ema === null ? {} : { emaWeight: emaWeight(ema, update) }),
  };
  if (stage === 'adversarial') {
    // The discriminator's moments begin with its first update.
    const before = Math.ceil(adversarialStart / (batch * accumulate));
    const theirs = optimizer.scalars({ update: update - before, learningRate: discriminatorLearningRate * factor });
    for (const [name, value] of Object.entries(theirs)) values[discriminatorScalar(name)] = value;
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Float32Array.of(value)]));
}

/** The inputs of a batch, with noise for latents that are drawn: a function of the seed and the images before it. */
function withNoise(inputs: HostArrays, { parts, seed }: AutoencoderTrainerOptions, imagesSeen: number): HostArrays {
  const { noisy, latents } = parts.network;
  if (!noisy) return inputs;
  const words = stream(seed, 'latent-noise', imagesSeen);
  const seeds = Uint32Array.from({ length: parts.batch }, () => words.uint32());
  const elements = latents.shape.reduce((product, size) => product * size, 1);
  return { ...inputs, noise: normalsFromSeeds(seeds, elements) };
}

interface UpdateRun {
  readonly stage: Stage;
  readonly batches: readonly HostArrays[];
  readonly scalars: HostArrays;
  readonly whileRunning: () => void;
}

/** What an update gave, averaged or summed over its batches. */
export interface UpdateResults {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly terms: Readonly<Record<string, number>>;
  /** Choices of each code; `null` without a codebook. */
  readonly counts: Float64Array | null;
  /** Of the last batch, float32 [batch, channels, height, width]; `null` where they are not wanted. */
  readonly latents: Float32Array | null;
  readonly finite: boolean;
}

const sideResults = ['loss', 'gradientNorm', 'discriminatorNorm', 'counts', 'latents'];

async function runUpdate(stepper: Stepper, run: UpdateRun): Promise<UpdateResults> {
  const { stage, batches, scalars, whileRunning } = run;
  const whole = batches.length === 1;
  const results: Record<string, HostArray>[] = [];
  for (const [index, inputs] of batches.entries()) {
    const program = whole ? `step-${stage}` : `accumulate-${stage}`;
    const running = stepper.run(program, { inputs: whole ? { ...inputs, ...scalars } : inputs });
    if (index === batches.length - 1) whileRunning();
    results.push(await running);
  }
  const norms = whole ? results[0] : await stepper.run(`update-${stage}`, { inputs: scalars });
  const mean = (name: string) => results.reduce((sum, one) => sum + Number(one[name][0]), 0) / results.length;
  const names = Object.keys(results[0]).filter((name) => !sideResults.includes(name));
  const gradientNorm = Number(norms.gradientNorm[0]);
  const [loss, discriminatorNorm] = [mean('loss'), Number(norms.discriminatorNorm?.[0] ?? 0)];
  return {
    loss,
    gradientNorm,
    terms: Object.fromEntries(names.map((name) => [name, mean(name)])),
    counts: results[0].counts === undefined ? null : summed(results.map(({ counts }) => counts)),
    latents: (results.at(-1)?.latents as Float32Array | undefined) ?? null, // float32 in the graph
    finite: [loss, gradientNorm, discriminatorNorm].every(Number.isFinite),
  };
}

function summed(arrays: readonly HostArray[]): Float64Array {
  const sums = new Float64Array(arrays[0].length);
  for (const array of arrays) for (let i = 0; i < sums.length; i++) sums[i] += Number(array[i]);
  return sums;
}

interface FaultyStep {
  readonly options: AutoencoderTrainerOptions;
  readonly stage: Stage;
  readonly batches: readonly HostArrays[];
  readonly scalars: HostArrays;
  readonly results: Pick<StepResult, 'loss' | 'gradientNorm'>;
  readonly imagesSeen: number;
}

/** The error for a step that is not finite. */
function faultOf(stepper: Stepper, { options, stage, ...step }: FaultyStep): Promise<Error> {
  const parts = { ...options.parts, accumulate: 1 };
  const graph = autoencoderStepGraph(parts, stage === 'adversarial');
  return nonFiniteError(options.runtime, { stepper, graph, state: autoencoderStateTypes(parts), ...step });
}

/** A batch of pictures as a step takes it. */
export function pictureBatch(pixels: Uint8Array): PreparedBatch {
  return { inputs: { pixels }, commit: () => {} };
}
