/** The composition root: the only place where a `kind` in a config becomes an object. */
import { type EfmParts, type EfmTarget, efmTarget } from '../closed-form/efm-batch.ts';
import type { Coupling } from '../coupling/coupling.ts';
import { independentCoupling } from '../coupling/independent.ts';
import { loomCoupling } from '../coupling/loom.ts';
import { minibatchOtCoupling } from '../coupling/minibatch-ot.ts';
import type { PairingTools } from '../coupling/optimal-pairing.ts';
import { semidiscreteCoupling } from '../coupling/semidiscrete.ts';
import { sinkhornCoupling } from '../coupling/sinkhorn.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { ConfigError } from '../errors.ts';
import type { CheckpointMap } from '../models/checkpoint-map.ts';
import { type AdmCheckpointOptions, admUnetCheckpoint } from '../models/checkpoint-names/adm-unet.ts';
import { ditCheckpoint } from '../models/checkpoint-names/dit.ts';
import { songUnetCheckpoint } from '../models/checkpoint-names/song-unet.ts';
import { dit } from '../models/dit.ts';
import { type ImageAutoencoder, klImageAutoencoder, vqAutoencoder } from '../models/image-autoencoder.ts';
import { mlp } from '../models/mlp.ts';
import type { Model } from '../models/model.ts';
import { songUnet } from '../models/song-unet.ts';
import { unet } from '../models/unet.ts';
import type { OpenArgmaxProducts } from '../numerics/argmax-products.ts';
import { linearPath, type Path } from '../path/linear.ts';
import { logitNormalTime, type TimeSampling, uniformTime } from '../path/time-sampling.ts';
import { dopri5 } from '../sampling/solvers/dopri5.ts';
import type { Solver } from '../sampling/solvers/solver.ts';
import { SOLVERS } from '../sampling/solvers/solver-table.ts';
import { cosineGrid, rhoGrid, shiftedGrid, uniformGrid } from '../sampling/time-grid.ts';
import { adam, adamW, radam } from '../training/adam.ts';
import { type EmaOptions, emaDecayFromHalfLife } from '../training/ema.ts';
import type { Optimizer } from '../training/optimizer.ts';
import { constantSchedule, cosineSchedule, type Schedule } from '../training/schedule.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import type { RunConfig } from './config.ts';
import { ditSizeOf } from './dit-size.ts';

type ModelConfig = RunConfig['model'];
type SolverConfig = RunConfig['sampling']['solver'];
type FixedStepConfig = Exclude<SolverConfig, { readonly kind: 'dopri5' }>;

/** What the data says about the model. */
export interface ModelFacts {
  /** Shape of one sample's latents. */
  readonly shape: readonly number[];
  /** Number of classes in the data; `null` where it has no labels. */
  readonly classes: number | null;
}

function imageShape(shape: readonly number[]): [number, number, number] {
  return [shape[0], shape[1], shape[2]];
}

/** The network. @throws ConfigError or ShapeError if it does not fit the data. */
export function buildModel(config: ModelConfig, facts: ModelFacts): Model {
  if (config.labels && facts.classes === null) {
    throw new ConfigError({
      expected: '`model.labels` to be false, as the data have no labels',
      got: 'true',
      where: 'experiments/build',
      remedy: '`--set model.labels=false --set sampling.guidance=null`',
    });
  }
  const classes = config.labels ? facts.classes : null;
  switch (config.kind) {
    case 'mlp':
      return mlp({ ...config, shape: facts.shape, classes });
    case 'unet':
      return unet({ ...config, shape: imageShape(facts.shape), classes });
    case 'song-unet':
      return songUnet({ ...config, shape: imageShape(facts.shape), classes });
    case 'dit':
      return dit({ ...config, ...ditSizeOf(config), shape: imageShape(facts.shape), classes });
  }
}

/** The autoencoder. @throws ConfigError if its sizes do not fit together. */
export function buildAutoencoder(config: AutoencoderConfig['autoencoder']): ImageAutoencoder {
  const { size, colors, ...rest } = config;
  const shape = [colors, size, size] as const;
  switch (rest.kind) {
    case 'vq':
      return vqAutoencoder({ ...rest, shape });
    case 'kl':
      return klImageAutoencoder({ ...rest, shape });
  }
}

/**
 * Names of a config's network in published checkpoints. A U-Net's are those of [dhariwal:21]; a `song-unet`'s those of [karras:22], with
 * the 9 labels of augmentation that its published networks have.
 * @param model  of `buildModel` on the same config.
 * @param options  what a U-Net's config does not say of its checkpoint; means nothing to other networks.
 * @throws ConfigError where no published network has the form of the config's.
 */
export function buildCheckpointMap(
  config: ModelConfig,
  { input, classes }: Model,
  options: AdmCheckpointOptions,
): CheckpointMap {
  const shape = imageShape(input.shape);
  switch (config.kind) {
    case 'mlp':
      throw new ConfigError({
        expected: '`model.kind` to be unet, song-unet or dit, which published checkpoints have',
        got: config.kind,
        where: 'experiments/build',
      });
    case 'unet':
      return admUnetCheckpoint({ ...config, classes }, options);
    case 'song-unet':
      return songUnetCheckpoint({ ...config, shape, classes }, { augmentLabels: 9 });
    case 'dit':
      return ditCheckpoint({ ...config, ...ditSizeOf(config), shape, classes });
  }
}

/** What a coupling is made of besides its config. */
export interface CouplingParts {
  readonly data: CouplingData;
  readonly tools: CouplingTools;
}

/** What couplings compute with. */
export interface CouplingTools extends PairingTools {
  readonly openProducts: OpenArgmaxProducts;
}

/** What of a config a coupling depends on. */
export type CouplingConfig = Pick<RunConfig, 'coupling' | 'seed'> & {
  readonly training: Pick<RunConfig['training'], 'batchSize' | 'accumulate'>;
};

/** Images that the coupling of a config pairs at once. */
export function pairedImages({ coupling, training }: Omit<CouplingConfig, 'seed'>): number {
  const largeBatch = 'largeBatch' in coupling ? coupling.largeBatch : null;
  return largeBatch ?? training.batchSize * training.accumulate;
}

export function buildCoupling(config: CouplingConfig, { data, tools }: CouplingParts): Coupling {
  const { coupling, seed } = config;
  switch (coupling.kind) {
    case 'independent':
      return independentCoupling();
    case 'minibatch-ot':
      return minibatchOtCoupling(coupling, tools);
    case 'sinkhorn':
      return sinkhornCoupling(coupling, tools);
    case 'loom': {
      const batch = pairedImages(config);
      const trainAfter = Math.ceil((coupling.trainAfter ?? 0) / batch) * batch;
      return loomCoupling({ options: { ...coupling, trainAfter }, data, tools, seed });
    }
    case 'semidiscrete':
      return semidiscreteCoupling({ options: coupling, data, openProducts: tools.openProducts, seed });
  }
}

/** The target of a config; `null` for the path's own velocity. */
export function buildTarget(
  { target, seed }: Pick<RunConfig, 'target' | 'seed'>,
  parts: Omit<EfmParts, 'seed'>,
): EfmTarget | null {
  switch (target.kind) {
    case 'conditional':
      return null;
    case 'efm':
      return efmTarget(target, { ...parts, seed });
  }
}

export function buildPath(config: RunConfig['path']): Path {
  switch (config.kind) {
    case 'linear':
      return linearPath(config);
  }
}

export function buildTimeSampling(config: RunConfig['time']): TimeSampling {
  switch (config.kind) {
    case 'uniform':
      return uniformTime();
    case 'logit-normal':
      return logitNormalTime(config);
  }
}

export function buildOptimizer(config: RunConfig['training']['optimizer']): Optimizer {
  switch (config.kind) {
    case 'adam':
      return adam(config);
    case 'adamw':
      return adamW(config);
    case 'radam':
      return radam(config);
  }
}

export function buildSchedule({ schedule, images }: Pick<RunConfig['training'], 'schedule' | 'images'>): Schedule {
  switch (schedule.kind) {
    case 'constant':
      return constantSchedule(schedule);
    case 'cosine':
      return cosineSchedule({ ...schedule, images });
  }
}

export function buildEma({
  ema,
  batchSize,
  accumulate,
}: Pick<RunConfig['training'], 'ema' | 'batchSize' | 'accumulate'>): EmaOptions | null {
  if (ema === null) return null;
  const { biasCorrected } = ema;
  switch (ema.kind) {
    case 'decay':
      return { decay: ema.decay, biasCorrected };
    case 'half-life':
      return { decay: emaDecayFromHalfLife(batchSize * accumulate, ema.halfLifeImages), biasCorrected };
  }
}

/** A solver and the times that it is given. */
export interface SolverSetup {
  readonly solver: Solver;
  readonly grid: Float64Array;
}

function buildGrid({ steps, grid }: FixedStepConfig): Float64Array {
  switch (grid.kind) {
    case 'uniform':
      return uniformGrid(steps);
    case 'cosine':
      return cosineGrid(steps);
    case 'shifted':
      return shiftedGrid(steps, grid.shift);
    case 'rho':
      return rhoGrid(steps, grid);
  }
}

/** Equal parts of [0, 1] at whose ends an adaptive solver shows its states; they do not change its steps. */
const TRAJECTORY_INTERVALS = 10;

export function buildSolver(config: SolverConfig): SolverSetup {
  if (config.kind === 'dopri5') return { solver: dopri5(config), grid: uniformGrid(TRAJECTORY_INTERVALS) };
  return { solver: SOLVERS[config.kind], grid: buildGrid(config) };
}
