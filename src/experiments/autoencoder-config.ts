/** The config of an autoencoder's run. It is told apart from a flow's by its section `autoencoder`, which that has not. */
import { z } from 'zod';
import { type DeepReadonly, fileJsonSchema, identityFields, parseBySchema } from './config.ts';
import { inPlaceOnWebgpu } from './config-consistency.ts';
import { autoencoderSection, lossSection } from './schema/autoencoder-section.ts';
import { imageDataSection } from './schema/data-section.ts';
import { runtimeSection } from './schema/sampling-section.ts';
import { autoencoderTrainingSection } from './schema/training-section.ts';

/** Schema of an autoencoder's config; its defaults are written here and nowhere else. */
export const autoencoderConfigSchema = z.strictObject({
  ...identityFields,
  data: imageDataSection.describe('The images that are learned; labels are not used.'),
  autoencoder: autoencoderSection,
  loss: lossSection,
  training: autoencoderTrainingSection,
  runtime: runtimeSection,
});

/** Config of an autoencoder's run, complete: every default is filled in. */
export type AutoencoderConfig = DeepReadonly<z.output<typeof autoencoderConfigSchema>>;

/** The same as people write it: what has a default may be left out. */
export type AutoencoderConfigInput = DeepReadonly<z.input<typeof autoencoderConfigSchema>>;

/** JSON Schema of an autoencoder's config file. */
export function autoencoderJsonSchema(): Record<string, unknown> {
  return fileJsonSchema(autoencoderConfigSchema, 'flowloom config of an autoencoder');
}

/** A complete config from what a file holds. @throws ConfigError as `parseConfig`. */
export function parseAutoencoderConfig(value: unknown, from: string): AutoencoderConfig {
  const kind = {
    schema: autoencoderConfigSchema,
    jsonSchema: autoencoderJsonSchema,
    faultsOf: autoencoderFaults,
    from,
  };
  return parseBySchema(value, kind);
}

/** What the sections demand of each other: faults as `crossFaults` of flows has them. */
export function autoencoderFaults({ autoencoder, loss, training, data, runtime }: AutoencoderConfig): string[] {
  const faults: string[] = [];
  const demand = (met: boolean, sentence: string) => {
    if (!met) faults.push(sentence);
  };
  const { size, multipliers, channels, groups, attentionResolutions } = autoencoder;
  const factor = 2 ** (multipliers.length - 1);
  demand(
    size % factor === 0,
    `Expected \`autoencoder.size\` to be a multiple of ${factor}, for ${multipliers.length} levels; got ${size}.`,
  );
  demand(
    channels % groups === 0,
    `Expected \`autoencoder.channels\` to be a multiple of \`autoencoder.groups\` = ${groups}; got ${channels}.`,
  );
  const sides = multipliers.map((_, level) => size / 2 ** level);
  demand(
    attentionResolutions.every((side) => sides.includes(side)),
    `Expected \`autoencoder.attentionResolutions\` to be sides of maps, ${sides.join(', ')}; got ${JSON.stringify(attentionResolutions)}.`,
  );
  demand(
    data.size === null || data.size === size,
    `Expected \`data.size\` to be \`autoencoder.size\` = ${size}; got ${data.size}.`,
  );
  const { perceptual } = loss;
  demand(
    perceptual === null ||
      perceptual.weightsFile !== null ||
      perceptual.layers.every(({ weights }) => weights === null),
    'Weights of `loss.perceptual.layers` are tensors of a file: expected `loss.perceptual.weightsFile` to be its path; got null.',
  );
  demand(!training.inPlace || runtime.provider !== 'webgpu', inPlaceOnWebgpu);
  const { warmupImages } = training.schedule;
  demand(
    warmupImages <= training.images,
    `Expected \`training.schedule.warmupImages\` to be at most \`training.images\` = ${training.images}; got ${warmupImages}.`,
  );
  demand(
    training.precision === 'float32',
    'Gradients of an autoencoder are of several losses that weigh each other, and scaling is built for one: expected `training.precision` to be float32; got mixed.',
  );
  return faults;
}
