import type { Graph } from '../../engine/graph.ts';
import { graphFlops } from '../../engine/graph-flops.ts';
import { type TensorTree, tensorType, trace } from '../../engine/trace.ts';
import type { Model, ModelInputs } from '../../models/model.ts';
import { type ParameterTree, parameterCount, parameterTypes } from '../../models/parameters.ts';
import { type StepMemory, stepMemory } from '../../training/step-memory.ts';
import { buildModel, type ModelFacts } from '../build.ts';
import type { RunConfig } from '../config.ts';
import { openConfiguredAutoencoder } from '../latent-data.ts';
import { openRunData } from '../run-data.ts';
import { openStoredData } from '../stored-data.ts';
import { stepParts } from '../trainer-setup.ts';

/** Size of a config's model. */
export interface ModelSize {
  /** Kind and size. */
  readonly name: string;
  /** Shape of a sample. */
  readonly shape: readonly number[];
  readonly classes: number | null;
  readonly parameters: number;
  /** Multiply-adds of one evaluation for one sample, of products and convolutions. */
  readonly multiplyAdds: number;
  /** Parameters by the first part of their paths. */
  readonly parts: Readonly<Record<string, number>>;
  /** Memory of a training step; absent for a network without a training. */
  readonly step?: StepMemories;
}

/** Memory of a config's training step by `training.rematerialise`. */
export type StepMemories = { readonly [K in RunConfig['training']['rematerialise']]: StepMemory };

/**
 * Size of the model of a config, and the memory of its training step.
 * @param facts  what the data say about the model; null: opens the data to find out.
 */
export async function modelSize(config: RunConfig, facts: ModelFacts | null): Promise<ModelSize> {
  const known = facts ?? (await factsOfData(config));
  const model = buildModel(config.model, known);
  const parts = stepParts(config, { model, corrected: config.target.kind === 'efm' });
  const step = {
    nothing: stepMemory({ ...parts, rematerialise: 'nothing' }, config.training),
    cheap: stepMemory({ ...parts, rematerialise: 'cheap' }, config.training),
    blocks: stepMemory({ ...parts, rematerialise: 'blocks' }, config.training),
  };
  return { ...networkSize(config.model, known), step };
}

/** Size of a network on samples of so many channels, height, width and classes. */
export function networkSize(config: RunConfig['model'], facts: ModelFacts): ModelSize {
  const { shape } = facts;
  const model = buildModel(config, facts);
  const parts = Object.entries(model.parameters as Readonly<Record<string, ParameterTree>>);
  return {
    name: model.name,
    shape,
    classes: model.classes,
    parameters: parameterCount(model.parameters),
    multiplyAdds: graphFlops(evaluationGraph(model)) / 2,
    parts: Object.fromEntries(parts.map(([name, tree]) => [name, parameterCount(tree)])),
  };
}

type EvaluationInputs = ModelInputs & { readonly parameters: TensorTree };

/** Graph of one evaluation for one sample. */
function evaluationGraph(model: Model): Graph {
  const types = {
    parameters: parameterTypes(model.parameters),
    x: tensorType([1, ...model.input.shape]),
    time: tensorType([1]),
    ...(model.classes === null ? {} : { labels: tensorType([1], 'int32') }),
  };
  return trace((inputs) => {
    const { parameters, x, time, labels = null } = inputs as unknown as EvaluationInputs;
    return { y: model.apply(parameters, { x, time, labels }) };
  }, types);
}

async function factsOfData(config: RunConfig): Promise<ModelFacts> {
  const { latent } = config;
  if (latent.kind === 'autoencoder') {
    const classes = (await openStoredData(config, 'train'))?.classes?.length ?? null;
    return { shape: (await openConfiguredAutoencoder(latent)).network.latents.shape, classes };
  }
  const data = await openRunData(config);
  return { shape: data.shape, classes: data.classes?.length ?? null };
}
