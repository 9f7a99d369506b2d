/** The config of an experiment in stages: an autoencoder, its latents, a flow on them, samples and metrics. Its section is `stages`. */
import { join } from 'node:path';
import { z } from 'zod';
import { type AutoencoderConfig, autoencoderConfigSchema, autoencoderFaults } from './autoencoder-config.ts';
import {
  configSchema,
  type DeepReadonly,
  fileJsonSchema,
  identityFields,
  parseBySchema,
  type RunConfig,
} from './config.ts';
import { crossFaults } from './config-consistency.ts';
import { metricNames } from './metric-names.ts';
import { imageDataSection, latentDtype } from './schema/data-section.ts';
import { comparison } from './schema/training-section.ts';

const latentsStage = z
  .strictObject({ dtype: latentDtype })
  .prefault({})
  .describe("The images of the flow, encoded; mirrored ones too where the flow's data are mirrored.");

const samplesStage = z
  .strictObject({
    perClass: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('Samples of a class in the grid. null: as `flow.sampling.perClass` says.'),
  })
  .prefault({})
  .describe('A grid of samples, made as `flow.sampling` says.');

const metricsStage = z
  .strictObject({
    metrics: z
      .array(z.enum(metricNames))
      .min(1)
      .nullable()
      .default(null)
      .describe('What is measured; see `flowloom evaluate --help`. null: all that can be.'),
    features: comparison.features,
    count: z.int().min(2).default(500).describe('Samples, of seeds 0 and following.'),
    against: comparison.against,
    referenceCount: comparison.referenceCount,
  })
  .nullable()
  .prefault({})
  .describe('Metrics of samples, in pixels. null: none.');

/** Schema of the config of stages. Names and seeds are those of the whole, and the flow's latent space is the autoencoder's. */
export const stagesConfigSchema = z.strictObject({
  ...identityFields,
  stages: z
    .strictObject({
      autoencoder: autoencoderConfigSchema
        .omit({ name: true, seed: true })
        .describe('The autoencoder, as in a config of its own.'),
      latents: latentsStage,
      flow: configSchema
        .omit({ name: true, seed: true, latent: true })
        .extend({ data: imageDataSection })
        .describe('The flow on the latents, as in a config of its own.'),
      samples: samplesStage,
      metrics: metricsStage,
    })
    .describe('What is done, in this order, each in a folder of its name.'),
});

/** Config of stages, complete. */
export type StagesConfig = DeepReadonly<z.output<typeof stagesConfigSchema>>;

/** The same as people write it: what has a default may be left out. */
export type StagesConfigInput = DeepReadonly<z.input<typeof stagesConfigSchema>>;

/** Stages in the order in which they are done. */
export const stageNames = ['autoencoder', 'latents', 'flow', 'samples', 'metrics'] as const;

export type StageName = (typeof stageNames)[number];

/** Folders of the stages of a run. */
export function stageFolders(directory: string): Readonly<Record<StageName, string>> {
  return {
    autoencoder: join(directory, 'autoencoder'),
    latents: join(directory, 'latents'),
    flow: join(directory, 'flow'),
    samples: join(directory, 'samples'),
    metrics: join(directory, 'metrics'),
  };
}

/** Config of the autoencoder. */
export function autoencoderOfStages({ name, seed, stages }: StagesConfig): AutoencoderConfig {
  return { name, seed, ...stages.autoencoder };
}

/** Config of the flow in the folder of a run. */
export function flowOfStages({ name, seed, stages }: StagesConfig, directory: string): RunConfig {
  const { autoencoder, latents } = stageFolders(directory);
  const { dtype } = stages.latents;
  return {
    name,
    seed,
    latent: { kind: 'autoencoder', run: autoencoder, cache: latents, dtype, encoder: null, normalization: null },
    ...stages.flow,
  };
}

/** JSON Schema of a config file of stages. */
export function stagesJsonSchema(): Record<string, unknown> {
  return fileJsonSchema(stagesConfigSchema, 'flowloom config of stages');
}

/** A complete config from what a file holds. @throws ConfigError as `parseConfig`. */
export function parseStagesConfig(value: unknown, from: string): StagesConfig {
  return parseBySchema(value, { schema: stagesConfigSchema, jsonSchema: stagesJsonSchema, faultsOf, from });
}

/** Faults of the stages one by one, and of the two together. */
function faultsOf(config: StagesConfig): string[] {
  const { autoencoder, flow } = config.stages;
  const inStage = (name: StageName, faults: readonly string[]) =>
    faults.map((fault) => `In \`stages.${name}\`: ${fault}`);
  const { size } = autoencoder.autoencoder;
  const sizes =
    flow.data.size === null || flow.data.size === size
      ? []
      : [`Expected \`data.size\` to be that of the autoencoder, ${size}; got ${flow.data.size}.`];
  return [
    ...inStage('autoencoder', autoencoderFaults(autoencoderOfStages(config))),
    ...inStage('flow', [...crossFaults(flowOfStages(config, '')), ...sizes]),
  ];
}
