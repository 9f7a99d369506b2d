import { type ParameterTree, parameterCount } from '../../models/parameters.ts';
import { buildModel, type ModelFacts } from '../build.ts';
import type { RunConfig } from '../config.ts';
import { openRunData } from '../run-data.ts';

/** Size of a config's model. */
export interface ModelSize {
  /** Kind and size. */
  readonly name: string;
  /** Shape of a sample. */
  readonly shape: readonly number[];
  readonly classes: number | null;
  readonly parameters: number;
  /** Parameters by the first part of their paths. */
  readonly parts: Readonly<Record<string, number>>;
}

/**
 * Size of the model of a config.
 * @param facts  what the data say about the model; null: opens the data to find out.
 */
export async function modelSize(config: RunConfig, facts: ModelFacts | null): Promise<ModelSize> {
  const { shape, classes } = facts ?? (await factsOfData(config));
  const model = buildModel(config.model, { shape, classes });
  const parts = Object.entries(model.parameters as Readonly<Record<string, ParameterTree>>);
  return {
    name: model.name,
    shape,
    classes: model.classes,
    parameters: parameterCount(model.parameters),
    parts: Object.fromEntries(parts.map(([name, tree]) => [name, parameterCount(tree)])),
  };
}

async function factsOfData(config: RunConfig): Promise<ModelFacts> {
  const data = await openRunData(config);
  return { shape: data.shape, classes: data.classes?.length ?? null };
}
