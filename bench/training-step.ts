/** A whole training step of a model on random data, as the trainer executes it. */

import { independentCoupling } from '../src/coupling/independent.ts';
import type { NativeRuntime } from '../src/engine/native/native-runtime.ts';
import { elementCount, type Shape } from '../src/engine/shape.ts';
import { type DitOptions, dit } from '../src/models/dit.ts';
import type { Rematerialisation } from '../src/models/layers/rematerialisation.ts';
import type { Model } from '../src/models/model.ts';
import { initialValues, parameterCount, parameterTypes } from '../src/models/parameters.ts';
import { type UnetOptions, unet } from '../src/models/unet.ts';
import type { VqVaeOptions } from '../src/models/vq-vae.ts';
import { normalsFromSeeds } from '../src/numerics/normal.ts';
import { stream } from '../src/numerics/stream.ts';
import { linearPath } from '../src/path/linear.ts';
import { uniformTime } from '../src/path/time-sampling.ts';
import { adamW } from '../src/training/adam.ts';
import type { PreparedBatch } from '../src/training/batches.ts';
import { PARAMETERS, type UpdateParts } from '../src/training/parameter-update.ts';
import { evaluateGraph, type StepParts } from '../src/training/step.ts';
import { createTrainer } from '../src/training/trainer.ts';
import { autoencoderStep } from './autoencoder-step.ts';
import { stepFlops } from './flops.ts';
import { type Contender, contender } from './interleave.ts';
import type { Workload } from './peer.ts';

/** Options that both sides understand. */
type SharedDitOptions = Required<Omit<DitOptions, 'timeScale' | 'variances' | 'name'>>;
type SharedUnetOptions = Required<Omit<UnetOptions, 'timeScale' | 'name' | 'features' | 'timeFeatures'>>;
type SharedVqVaeOptions = Omit<VqVaeOptions, 'codeChannels'>;

type FlowNetwork =
  | { readonly kind: 'dit'; readonly options: SharedDitOptions }
  | { readonly kind: 'unet'; readonly options: SharedUnetOptions };

interface StepOptions {
  readonly batch: number;
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  /** What our side's gradient computes again; the peer keeps everything. Default `nothing`. */
  readonly rematerialise?: Rematerialisation;
  /** Whether ours writes over its state. Default false. */
  readonly inPlace?: boolean;
}

/** A step on the velocity of the linear path. */
export type FlowStepSpec = FlowNetwork & StepOptions;

/** A step on the squared error of pictures and the quantiser's loss. */
export type AutoencoderStepSpec = StepOptions & { readonly kind: 'vq-vae'; readonly options: SharedVqVaeOptions };

export type StepSpec = FlowStepSpec | AutoencoderStepSpec;

export interface TrainingStep extends Contender {
  readonly flops: number;
  readonly parameters: number;
  release(): void;
}

/** Largest norm of the gradient. */
const CLIP = 1;

/** AdamW with clipping, without an average of the parameters. */
export function updateParts({ betas }: StepOptions): UpdateParts {
  return { optimizer: adamW({ betas, epsilon: 1e-8, weightDecay: 0.01 }), clip: CLIP, ema: false };
}

function network(spec: FlowNetwork): Model {
  return spec.kind === 'dit' ? dit(spec.options) : unet(spec.options);
}

/** What a step consists of: forward, backward, clipping and AdamW; no average of the parameters. */
export function stepParts(spec: FlowStepSpec): StepParts {
  const model = network(spec);
  return {
    model,
    parameters: parameterTypes(model.parameters),
    path: linearPath(),
    batch: spec.batch,
    accumulate: 1,
    rematerialise: spec.rematerialise ?? 'nothing',
    ...updateParts(spec),
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
export function trainingStep(runtime: NativeRuntime, spec: StepSpec): Promise<TrainingStep> {
  return spec.kind === 'vq-vae' ? autoencoderStep(runtime, spec) : flowStep(runtime, spec);
}

async function flowStep(runtime: NativeRuntime, spec: FlowStepSpec): Promise<TrainingStep> {
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
    inPlace: spec.inPlace ?? false,
    initial: initialValues(model.parameters, 0),
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
  { kind, options, rematerialise: _ours, inPlace: _too, ...rest }: StepSpec,
  { fused = false, channelsLast = false }: PeerStepOptions = {},
): Workload {
  return { what: 'step', kind, model: options, clip: CLIP, fused, channelsLast, ...rest };
}
