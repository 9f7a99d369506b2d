/** A whole training step of a model on random data, as the trainer executes it. */

import { independentCoupling } from '../src/coupling/independent.ts';
import type { NativeRuntime } from '../src/engine/native/native-runtime.ts';
import { elementCount, type Shape } from '../src/engine/shape.ts';
import { type DitOptions, dit } from '../src/models/dit.ts';
import type { Model } from '../src/models/model.ts';
import { initializeParameters, parameterCount, parameterTypes } from '../src/models/parameters.ts';
import { type UnetOptions, unet } from '../src/models/unet.ts';
import { normalsFromSeeds } from '../src/numerics/normal.ts';
import { stream } from '../src/numerics/stream.ts';
import { linearPath } from '../src/path/linear.ts';
import { uniformTime } from '../src/path/time-sampling.ts';
import { adamW } from '../src/training/adam.ts';
import type { PreparedBatch } from '../src/training/batches.ts';
import { evaluateGraph, PARAMETERS, type StepParts } from '../src/training/step.ts';
import { createTrainer } from '../src/training/trainer.ts';
import { stepFlops } from './flops.ts';
import { type Contender, contender } from './interleave.ts';
import type { Workload } from './peer.ts';

/** Options that both sides understand. */
type SharedDitOptions = Required<Omit<DitOptions, 'timeScale' | 'variances' | 'name'>>;
type SharedUnetOptions = Required<
  Omit<UnetOptions, 'conditioning' | 'timeScale' | 'name' | 'features' | 'timeFeatures'>
>;

export type NetworkSpec =
  | { readonly kind: 'dit'; readonly options: SharedDitOptions }
  | { readonly kind: 'unet'; readonly options: SharedUnetOptions };

export type StepSpec = NetworkSpec & {
  readonly batch: number;
  readonly learningRate: number;
  readonly betas: readonly [number, number];
};

export interface TrainingStep extends Contender {
  readonly flops: number;
  readonly parameters: number;
  release(): void;
}

/** Largest norm of the gradient. */
const CLIP = 1;

function network(spec: NetworkSpec): Model {
  return spec.kind === 'dit' ? dit(spec.options) : unet(spec.options);
}

/** What a step consists of: forward, backward, clipping and AdamW; no average of the parameters. */
export function stepParts(spec: StepSpec): StepParts {
  const model = network(spec);
  return {
    model,
    parameters: parameterTypes(model.parameters),
    path: linearPath(),
    optimizer: adamW({ betas: spec.betas, epsilon: 1e-8, weightDecay: 0.01 }),
    batch: spec.batch,
    clip: CLIP,
    ema: false,
    accumulate: 1,
  };
}

function randomBatch(shape: Shape, { classes, batch }: { readonly classes: number | null; readonly batch: number }) {
  const random = stream(0, 'bench-batch');
  const normals = () => normalsFromSeeds(Uint32Array.from({ length: batch }, random.uint32), elementCount(shape));
  const inputs = {
    source: normals(),
    target: normals(),
    time: Float32Array.from({ length: batch }, random.uniformFloat32),
    ...(classes === null ? {} : { labels: Int32Array.from({ length: batch }, () => random.below(classes + 1)) }),
  };
  const prepared: PreparedBatch = { inputs, commit: () => {} };
  return prepared;
}

/** Compiles the step on a runtime; a run is one update, its loss read by the host. */
export async function trainingStep(runtime: NativeRuntime, spec: StepSpec): Promise<TrainingStep> {
  const parts = stepParts(spec);
  const { model } = parts;
  const { classes } = model;
  const trainer = await createTrainer({
    runtime,
    parts,
    preparation: {
      coupling: independentCoupling(),
      time: uniformTime(),
      classes,
      labelDropout: 0,
      jitter: false,
      seed: 0,
    },
    learningRate: spec.learningRate,
    schedule: () => 1,
    ema: null,
    initial: initializeParameters(model.parameters, 0),
  });
  const batch = [randomBatch(model.input.shape, { classes, batch: spec.batch })];
  return {
    flops: stepFlops(evaluateGraph(parts, PARAMETERS)),
    parameters: parameterCount(model.parameters),
    ...contender(() => trainer.step(batch)),
    release: () => trainer.release(),
  };
}

export interface PeerStepOptions {
  /** PyTorch's fused AdamW instead of its default. */
  readonly fused?: boolean;
  /** Channels last in memory instead of PyTorch's default. */
  readonly channelsLast?: boolean;
}

/** The same step for the peer. */
export function stepWorkload(
  { kind, options, ...rest }: StepSpec,
  { fused = false, channelsLast = false }: PeerStepOptions = {},
): Workload {
  return { what: 'step', kind, model: options, clip: CLIP, fused, channelsLast, ...rest };
}
