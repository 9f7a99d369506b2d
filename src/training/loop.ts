/** Runs a trainer to its end: steps with the next batch prepared meanwhile, validation, checkpoints, an orderly stop. */
import type { TargetReport } from '../closed-form/efm-batch.ts';
import type { PairingReport, WholeCost } from '../coupling/coupling.ts';
import type { PreparedBatch } from './batches.ts';
import { writeBest } from './best-checkpoint.ts';
import {
  type EvaluationEvent,
  type EvaluationOptions,
  type Evaluations,
  passed,
  trackEvaluations,
} from './evaluation.ts';
import type { PreliminaryProgress } from './preparation.ts';
import type { StepResult, Trainer } from './trainer.ts';
import type { ValidationResult } from './validation.ts';

export interface StepEvent extends StepResult {
  readonly kind: 'step';
  /** Images of the whole run. */
  readonly images: number;
  /** Over the last steps, validation and checkpoints not counted. */
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
  /** Share of the time since the last step event, or since validation or a checkpoint, in which the engine waited for data. */
  readonly hostShare: number;
  /** What the coupling did for this step; absent where it assigns nothing. */
  readonly pairing?: PairingReport;
  /** How stochastic the targets of this step's first batch are; absent where they are those of flow matching. */
  readonly target?: TargetReport;
}

/** Work on the coupling before the first step. */
export interface PreliminaryEvent {
  readonly kind: 'preliminary';
  readonly imagesSeen: 0;
  /** Images paired, or noises seen. */
  readonly done: number;
  readonly total: number;
  readonly secondsLeft: number;
  readonly pairing?: PairingReport;
}

/** Transport cost of everything that the coupling keeps, measured with a checkpoint. */
export interface CouplingEvent extends WholeCost {
  readonly kind: 'coupling';
  readonly imagesSeen: number;
}

export interface ValidationEvent extends ValidationResult {
  readonly kind: 'validation';
  readonly imagesSeen: number;
  /** Of autoencoders, how near held-out pictures come to themselves. */
  readonly reconstruction?: ReconstructionReport;
}

/** Means over held-out pictures. */
export interface ReconstructionReport {
  /** Peak signal-to-noise ratio in dB. */
  readonly psnr: number;
  /** Structural similarity. */
  readonly ssim: number;
  /** Codes that they use, and exp of the entropy of their choices; `null` without a codebook. */
  readonly codes: { readonly used: number; readonly perplexity: number } | null;
}

/** What of a trainer the loop needs. */
export type LoopTrainer = Pick<Trainer, 'imagesSeen' | 'imagesPerStep' | 'step' | 'save'>;

export interface CheckpointEvent {
  readonly kind: 'checkpoint';
  readonly imagesSeen: number;
  readonly path: string;
}

export type TrainingEvent =
  | StepEvent
  | ValidationEvent
  | EvaluationEvent
  | CheckpointEvent
  | PreliminaryEvent
  | CouplingEvent;

export interface LoopOptions {
  /** Length of the run in images. */
  readonly images: number;
  readonly validation: {
    readonly measure: () => Promise<Omit<ValidationEvent, 'kind' | 'imagesSeen'>>;
    readonly everyImages: number;
  } | null;
  /** Metrics of samples; absent for none. */
  readonly evaluation?: EvaluationOptions;
  readonly checkpoints: { readonly folder: string; readonly everyImages: number; readonly keep: number };
  /** Images between step events. */
  readonly logEveryImages: number;
  /** Prepares the batches of the step that starts at a number of images seen. */
  readonly prepare: (imagesSeen: number) => Promise<PreparedBatch[]>;
  /** Work before the first step, a value a part of it; absent for none. */
  readonly preliminary?: () => AsyncIterable<PreliminaryProgress>;
  /** Measures what the coupling keeps; absent where it keeps nothing. */
  readonly wholeCost?: () => Promise<WholeCost>;
  readonly signal?: AbortSignal;
  readonly onEvent: (event: TrainingEvent) => void;
}

export interface LoopOutcome {
  readonly imagesSeen: number;
  /** Whether the signal ended the run early, after a checkpoint. */
  readonly interrupted: boolean;
  /** Whether evaluations that did not improve ended it. */
  readonly stoppedEarly: boolean;
  readonly seconds: number;
}

/** What was done for a step besides its inputs, as its event tells it. */
function reportsOf([first]: readonly PreparedBatch[]): Pick<StepEvent, 'pairing' | 'target'> {
  const { report = null, target } = first ?? {};
  return { ...(report === null ? {} : { pairing: report }), ...(target === undefined ? {} : { target }) };
}

/** Speed and waiting over the last steps. */
class Pace {
  #start = performance.now();
  #images = 0;
  #waitedMs = 0;
  #rate: number | null = null;

  add(images: number, waitedMs: number): void {
    this.#images += images;
    this.#waitedMs += waitedMs;
  }

  read(imagesLeft: number) {
    const elapsed = performance.now() - this.#start;
    const now = (this.#images / elapsed) * 1000;
    // An average over a few readings, so that the time left does not jump.
    this.#rate = this.#rate === null ? now : 0.7 * this.#rate + 0.3 * now;
    const reading = {
      imagesPerSecond: this.#rate,
      secondsLeft: Math.max(0, imagesLeft) / this.#rate,
      hostShare: this.#waitedMs / elapsed,
    };
    this.restart();
    return reading;
  }

  restart(): void {
    this.#start = performance.now();
    this.#images = 0;
    this.#waitedMs = 0;
  }
}

/** What happens beside the steps, each told as an event. */
function sideTasks(
  trainer: LoopTrainer,
  { validation, evaluation, checkpoints, wholeCost, onEvent }: LoopOptions,
  evaluations: Evaluations,
) {
  const { folder } = checkpoints;
  const pointsToBest = async () => {
    if (evaluation?.best?.keep === true) await writeBest(folder, evaluations.kept);
  };
  return {
    pointsToBest,
    async measureCoupling(): Promise<void> {
      if (wholeCost !== undefined)
        onEvent({ kind: 'coupling', imagesSeen: trainer.imagesSeen, ...(await wholeCost()) });
    },
    async validate(): Promise<void> {
      if (validation === null) return;
      const result = await validation.measure();
      onEvent({ kind: 'validation', imagesSeen: trainer.imagesSeen, ...result });
    },
    async save(): Promise<void> {
      const spared = evaluations.kept?.imagesSeen ?? null;
      const path = await trainer.save(folder, { keep: checkpoints.keep, spared });
      await pointsToBest();
      onEvent({ kind: 'checkpoint', imagesSeen: trainer.imagesSeen, path });
    },
  };
}

/** Time between two checkpoints of the preliminary work: what a kill can cost. */
const preliminarySaveMs = 60_000;

/** Does the work before the first step, with checkpoints. @returns whether it is done; otherwise the signal ended it. */
async function runPreliminary(
  { preliminary, logEveryImages, signal, onEvent }: LoopOptions,
  save: () => Promise<void>,
): Promise<boolean> {
  if (preliminary === undefined) return true;
  const begun = performance.now();
  let first: number | null = null;
  let before = 0;
  let savedAt = begun;
  for await (const { done, total, report } of preliminary()) {
    const now = performance.now();
    if (first !== null && (passed(logEveryImages, before, done) || done >= total)) {
      const secondsLeft = (((now - begun) / 1000) * (total - done)) / (done - first);
      const pairing = report === null ? {} : { pairing: report };
      onEvent({ kind: 'preliminary', imagesSeen: 0, done, total, secondsLeft, ...pairing });
    }
    first ??= done;
    before = done;
    if (signal?.aborted === true && done < total) return false;
    if (now - savedAt < preliminarySaveMs) continue;
    await save();
    savedAt = performance.now();
  }
  return true;
}

/** The batches of the step that comes next, prepared while the one before it runs. */
function preparedAhead({ images, prepare }: LoopOptions) {
  let next: Promise<PreparedBatch[]> | null = null;
  return {
    /** Starts on the step at a number of images seen, if there is one. */
    start(imagesSeen: number): void {
      next = imagesSeen < images ? prepare(imagesSeen) : null;
      // A fault in preparation is thrown where it is awaited; until then it must not count as unhandled.
      next?.catch(() => {});
    },
    get next(): Promise<PreparedBatch[]> | null {
      return next;
    },
  };
}

/** A training under way. */
interface LoopParts {
  readonly trainer: LoopTrainer;
  readonly options: LoopOptions;
  readonly evaluations: Evaluations;
  readonly tasks: ReturnType<typeof sideTasks>;
}

/** What was done after a step. */
interface StepEnd {
  /** Whether it took time that is not the steps'. */
  readonly paused: boolean;
  readonly saved: boolean;
}

/**
 * Does what is due after the step that began at `before` images: validation, evaluation, a checkpoint.
 * @param resumed  whether the step is one of a run that goes on and was interrupted while it was evaluated.
 */
async function endStep(
  { trainer, options, evaluations, tasks }: LoopParts,
  { before, resumed = false }: { readonly before: number; readonly resumed?: boolean },
): Promise<StepEnd> {
  const { images, validation, checkpoints, onEvent } = options;
  const { imagesSeen } = trainer;
  const due = (every: number) => imagesSeen >= images || passed(every, before, imagesSeen);
  const validates = validation !== null && due(validation.everyImages);
  if (validates && !resumed) await tasks.validate();
  const evaluates = evaluations.isDue(before, imagesSeen);
  const event = evaluates ? await evaluations.make(imagesSeen) : null;
  if (evaluates && event === null) return { paused: true, saved: false };
  if (event !== null) onEvent(event);
  const stops = evaluations.exhausted;
  if (stops && !validates) await tasks.validate();
  const marked = due(checkpoints.everyImages) || stops;
  const saved = marked || (event?.best === true && evaluations.kept !== null);
  if (marked) await tasks.measureCoupling();
  if (saved) await tasks.save();
  return { paused: validates || evaluates || saved, saved };
}

/** Begins or goes on. @returns whether steps can follow; otherwise the signal ended the work before them. */
async function beginTraining({ trainer, options, evaluations, tasks }: LoopParts): Promise<boolean> {
  const { imagesSeen, imagesPerStep } = trainer;
  if (imagesSeen === 0) {
    const ready = await runPreliminary(options, tasks.save);
    if (ready) await tasks.validate();
    if (ready) await tasks.measureCoupling();
    await tasks.save();
    return ready;
  }
  await tasks.pointsToBest();
  const before = imagesSeen - imagesPerStep;
  if (evaluations.isDue(before, imagesSeen)) {
    await endStep({ trainer, options, evaluations, tasks }, { before, resumed: true });
  }
  return true;
}

/**
 * Trains until `images` have been seen, evaluations have not improved for long, or the signal aborts; in any case the last state is in a
 * checkpoint when it returns. A trainer at 0 images tells the start of the run: the first validation and checkpoint.
 * @throws NumericalError if a loss is not finite: the last checkpoint stays; errors of data and runtime as they come.
 */
export async function runTraining(trainer: LoopTrainer, options: LoopOptions): Promise<LoopOutcome> {
  const { images, logEveryImages, onEvent, signal } = options;
  const started = performance.now();
  const evaluations = trackEvaluations(options.evaluation ?? null, options);
  const tasks = sideTasks(trainer, options, evaluations);
  const parts: LoopParts = { trainer, options, evaluations, tasks };
  const ahead = preparedAhead(options);
  const pace = new Pace();
  const outcome = (finished: boolean): LoopOutcome => {
    const { imagesSeen, imagesPerStep } = trainer;
    const stoppedEarly = evaluations.exhausted && imagesSeen < images;
    const open = imagesSeen < images || evaluations.isDue(imagesSeen - imagesPerStep, imagesSeen);
    const seconds = (performance.now() - started) / 1000;
    return { imagesSeen, interrupted: !finished || (!stoppedEarly && open), stoppedEarly, seconds };
  };
  if (!(await beginTraining(parts))) return outcome(false);
  let saved = trainer.imagesSeen;
  if (!evaluations.exhausted) ahead.start(saved);
  pace.restart();
  while (ahead.next !== null && !evaluations.exhausted && signal?.aborted !== true) {
    const before = trainer.imagesSeen;
    const waiting = performance.now();
    const batches = await ahead.next;
    const waitedMs = performance.now() - waiting;
    const result = await trainer.step(batches, () => ahead.start(before + trainer.imagesPerStep));
    const { imagesSeen } = result;
    pace.add(trainer.imagesPerStep, waitedMs);
    if (imagesSeen >= images || passed(logEveryImages, before, imagesSeen)) {
      onEvent({ kind: 'step', ...result, images, ...pace.read(images - imagesSeen), ...reportsOf(batches) });
    }
    const end = await endStep(parts, { before });
    if (end.saved) saved = imagesSeen;
    if (end.paused) pace.restart();
  }
  if (saved < trainer.imagesSeen) await tasks.save();
  return outcome(true);
}
