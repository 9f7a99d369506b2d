/** Says where a training step first met a value that is not finite. */
import { diagnose, nonFiniteOutput } from '../engine/diagnose.ts';
import type { Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import type { Runtime } from '../engine/runtime.ts';
import type { StateGroups } from '../engine/state-store.ts';
import { createStepper, type HostArrays, type Stepper } from '../engine/stepper.ts';
import { NumericalError } from '../errors.ts';

export interface FailedStep {
  /** Holds the state from before the step. */
  readonly stepper: Stepper;
  /** The whole step as one graph: accumulation makes no difference to where a batch goes wrong. */
  readonly graph: Graph;
  /** The state that the graph is over. */
  readonly state: StateGroups;
  /** Batches of the step: each is tried until one shows the fault. */
  readonly batches: readonly HostArrays[];
  readonly scalars: HostArrays;
  readonly imagesSeen: number;
  readonly results: { readonly loss: number; readonly gradientNorm: number };
  /** Whether it was computed in mixed precision; default false. */
  readonly mixed?: boolean;
}

/** Runs a graph's diagnosis on the step's state and batch. @returns its message, or `null` if every value is finite. */
async function findFirst(
  runtime: Runtime,
  { stepper, graph, state, scalars }: FailedStep,
  batch: HostArrays,
): Promise<string | null> {
  const diagnosis = diagnose(graph);
  const names = Object.values(state).flatMap((specs) => specs.map(({ name }) => name));
  const second = await createStepper(runtime, {
    state,
    programs: { diagnose: { model: emitModel(diagnosis.graph, { provider: runtime.provider }) } },
  });
  try {
    await second.writeState(await stepper.readState(names));
    const results = await second.run('diagnose', { inputs: { ...batch, ...scalars } });
    return diagnosis.explain(results[nonFiniteOutput]);
  } finally {
    second.release();
  }
}

/** The error for a step whose loss or gradient is not finite and that has written over the state it began with. */
export function lostState({ loss, gradientNorm }: FailedStep['results'], imagesSeen: number): NumericalError {
  return new NumericalError({
    expected: `loss and gradient to be finite after ${imagesSeen} images`,
    got: `loss ${loss}, gradient norm ${gradientNorm}; steps write in place, so where it began cannot be found out`,
    where: 'training/trainer step',
    remedy:
      'the last checkpoint, which is whole, with training.inPlace=false, to be told the first value that is not finite',
  });
}

/** The error for a step whose loss or gradient is not finite, naming the first offending value of its graph. */
export async function nonFiniteError(runtime: Runtime, step: FailedStep): Promise<NumericalError> {
  let found: string | null = null;
  for (const batch of step.batches) found ??= await findFirst(runtime, step, batch);
  const { loss, gradientNorm } = step.results;
  return new NumericalError({
    expected: `loss and gradient to be finite after ${step.imagesSeen} images`,
    got: `loss ${loss}, gradient norm ${gradientNorm}: ${found ?? 'every value is finite when the step is repeated'}`,
    where: 'training/trainer step',
    remedy:
      (step.mixed === true ? 'training.precision float32, as float16 ends at 65504; ' : '') +
      'a smaller training.optimizer.learningRate, a smaller training.clip, or data without extreme values; the last checkpoint is whole',
  });
}
