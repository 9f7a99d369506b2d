/** Which samples a run is asked for: seeds, labels and settings. */
import { ConfigError } from '../errors.ts';
import { SOLVERS } from '../sampling/solvers/solver-table.ts';
import type { RunConfig } from './config.ts';
import { latentClasses } from './latent-arrays.ts';
import { nearestName } from './nearest-name.ts';
import { openStoredData } from './stored-data.ts';

/** Samples in rows. */
export interface SamplePlan {
  readonly seeds: readonly number[];
  /** Label of each sample; null for a model without labels. */
  readonly labels: readonly number[] | null;
  /** Samples in a row. */
  readonly columns: number;
  /** Name of each row; null if rows mean nothing. */
  readonly rowNames: readonly string[] | null;
}

function consecutive(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Names of the classes that the model knows; null if it knows none. */
export async function classesOf(config: RunConfig): Promise<readonly string[] | null> {
  if (!config.model.labels) return null;
  // Weights from elsewhere are sampled without any data.
  if (config.data.kind === 'latents') return latentClasses(config.data);
  return (await openStoredData(config, 'train'))?.classes ?? null;
}

/**
 * A grid with `sampling.perClass` samples of each of `sampling.classes` classes, a row a class; without labels a square of perClass². Seeds
 * count from 0.
 */
export async function gridPlan(config: RunConfig): Promise<SamplePlan> {
  const { perClass, classes: most } = config.sampling;
  const classes = await classesOf(config);
  if (classes === null) {
    const count = config.data.kind === 'vectors' ? perClass : perClass ** 2;
    return { seeds: consecutive(0, count), labels: null, columns: perClass, rowNames: null };
  }
  const rows = Math.min(classes.length, most ?? classes.length);
  const shown = consecutive(0, rows).map((row) => Math.floor((row * classes.length) / rows));
  const seeds = consecutive(0, rows * perClass);
  const labels = seeds.map((seed) => shown[Math.floor(seed / perClass)]!);
  return { seeds, labels, columns: perClass, rowNames: shown.map((label) => classes[label]!) };
}

/** Labels as people give them: numbers or names of classes; of one label every sample has it, of several they take turns. */
export interface LabelChoice {
  readonly labels: readonly string[];
  readonly count: number;
}

/**
 * The label of each of `count` samples.
 * @param classes  names of the model's classes; null if it knows none.
 * @throws ConfigError if a label is no class.
 */
export function chooseLabels({ labels, count }: LabelChoice, classes: readonly string[] | null): number[] | null {
  if (labels.length === 0) return null;
  if (classes === null) {
    throw new ConfigError({
      expected: 'a model with labels, to choose one',
      got: 'a model without',
      remedy: 'no --label',
    });
  }
  const numbers = labels.map((label) => {
    const number = /^\d+$/.test(label) ? Number(label) : classes.indexOf(label);
    if (number >= 0 && number < classes.length) return number;
    const meant = nearestName(label, classes);
    throw new ConfigError({
      expected: `a label to be one of ${classes.map((name, i) => `${i} (${name})`).join(', ')}`,
      got: `"${label}"`,
      ...(meant === null ? {} : { remedy: `"${meant}"` }),
    });
  });
  return consecutive(0, count).map((i) => numbers[i % numbers.length]!);
}

/**
 * Steps of the configured solver that take `evaluations` evaluations of the model.
 * @param lastEvaluations  evaluations of the velocity after those of the steps; default 0.
 * @throws ConfigError if no number of steps does.
 */
export function stepsFor(evaluations: number, sampling: RunConfig['sampling'], lastEvaluations = 0): number {
  const { solver, guidance } = sampling;
  const { evaluationsPerStep } = SOLVERS[solver.kind];
  if (evaluationsPerStep === null) {
    throw new ConfigError({
      expected: 'a solver with fixed steps, to count evaluations in advance',
      got: solver.kind,
      remedy: 'a tolerance, or another solver',
    });
  }
  // A guided velocity takes the model with the label and without.
  const perVelocity = guidance === null || guidance === 1 ? 1 : 2;
  const perStep = evaluationsPerStep * perVelocity;
  const last = lastEvaluations * perVelocity;
  const steps = (evaluations - last) / perStep;
  if (Number.isInteger(steps) && steps >= 1) return steps;
  throw new ConfigError({
    expected: `evaluations to be ${last === 0 ? '' : `${last} more than `}a multiple of ${perStep}, those of a step of ${solver.kind}${perVelocity === 1 ? '' : ' with guidance'}`,
    got: String(evaluations),
  });
}

/**
 * The configured solver with as many steps as take `evaluations` evaluations of the model.
 * @throws ConfigError if no number of steps does.
 */
export function solverOfEvaluations(
  evaluations: number,
  sampling: RunConfig['sampling'],
): RunConfig['sampling']['solver'] {
  const steps = stepsFor(evaluations, sampling);
  // `stepsFor` has refused the solver that takes no steps.
  return { ...sampling.solver, steps } as RunConfig['sampling']['solver'];
}
