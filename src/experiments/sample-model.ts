/** A model that is to make samples, as commands are told of it: its name and changes to its settings. */
import { basename, join } from 'node:path';
import { ConfigError } from '../errors.ts';
import type { RunConfig } from './config.ts';
import { type ExactField, exactModelSource, readExactModel } from './exact-model.ts';
import { openFieldData } from './field-data.ts';
import { reviseConfig } from './read-config.ts';
import { readRunConfig } from './run-directory.ts';
import { runFolderOf } from './run-path.ts';
import { classesOf, stepsFor } from './sample-plan.ts';

/** Changes to how a model makes samples. */
export interface SampleModelChanges {
  /** Texts of the form path=value, made in order. */
  readonly set: readonly string[];
  /** Evaluations of the model for a sample, which choose the steps; null: as configured. */
  readonly evaluations: number | null;
}

/** A model with its complete settings. */
export interface SampleModel {
  readonly sampling: RunConfig['sampling'];
  readonly runtime: RunConfig['runtime'];
  /** Which exact field; null for a trained run. */
  readonly exact: ExactField | null;
  /** Path of files of samples but for their seeds and ending. */
  readonly filePrefix: string;
  /** Whether its samples are images, and the names of the classes that it knows; null if it knows none. */
  isImages(): Promise<boolean>;
  classes(): Promise<readonly string[] | null>;
}

/**
 * Reads the settings of a model: of a run from its folder, of an exact field from their defaults.
 * @param model  folder of a run, or of one of its checkpoints; or `closed-form:` and the name or path of data.
 * @throws ConfigError if there is no such run, or the changes do not suit the model.
 */
export function readSampleModel(model: string, changes: SampleModelChanges): SampleModel {
  const source = exactModelSource(model);
  return source === null ? readTrained(model, changes) : readExact(source, changes);
}

function readTrained(model: string, { set, evaluations }: SampleModelChanges): SampleModel {
  if (set.some((change) => change.startsWith('lastStep='))) {
    throw new ConfigError({
      expected: 'the exact field of data, to choose its last step',
      got: `the trained run ${model}`,
      where: 'experiments/sample-model',
      remedy: 'to leave it out: the solver takes a network to time 1',
    });
  }
  const revised = reviseConfig(readRunConfig(runFolderOf(model)), { set }, model);
  const config =
    evaluations === null
      ? revised
      : reviseConfig(revised, { set: [stepsChange(stepsFor(evaluations, revised.sampling))] }, model);
  return {
    sampling: config.sampling,
    runtime: config.runtime,
    exact: null,
    filePrefix: join(runFolderOf(model), 'samples', 'seeds'),
    isImages: async () => config.data.kind === 'images',
    classes: () => classesOf(config),
  };
}

function readExact(source: string, { set, evaluations }: SampleModelChanges): SampleModel {
  const revised = readExactModel(source, set);
  const { sampling, runtime, data, lastStep } =
    evaluations === null
      ? revised
      : readExactModel(source, [...set, stepsChange(stepsFor(evaluations, revised.sampling, 1))]);
  return {
    sampling,
    runtime,
    exact: { data, lastStep },
    filePrefix: join('samples', `closed-form-${basename(data.source)}-seeds`),
    isImages: async () => (await openFieldData(data.source, data)).latent !== null,
    classes: async () => (await openFieldData(data.source, data)).classes,
  };
}

function stepsChange(steps: number): string {
  return `sampling.solver.steps=${steps}`;
}
