/** What the training of an autoencoder is made of. */
import { importOnnx } from '../engine/onnx/import-model.ts';
import type { Runtime } from '../engine/runtime.ts';
import type { Tensor } from '../engine/tensor.ts';
import { initializeParameters, parameterTypes } from '../models/parameters.ts';
import { patchDiscriminator } from '../models/patch-discriminator.ts';
import type { AdversaryParts, AutoencoderStepParts } from '../training/autoencoder-step.ts';
import type { AutoencoderTrainerOptions } from '../training/autoencoder-trainer.ts';
import { type PerceptualLayer, perceptualLoss } from '../training/perceptual-loss.ts';
import { readPerceptualWeights } from '../training/perceptual-weights.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import { buildAutoencoder, buildEma, buildOptimizer, buildSchedule } from './build.ts';
import { openNetworkFile } from './open-features.ts';
import { prepareLatents } from './prepare-latents.ts';

type PerceptualConfig = NonNullable<AutoencoderConfig['loss']['perceptual']>;

/** Is told what a person should know. */
export type Note = (text: string) => void;

async function layersOf({ layers, weightsFile }: PerceptualConfig): Promise<PerceptualLayer[]> {
  const names = layers.flatMap(({ weights }) => (weights === null ? [] : [weights]));
  // The config's check has seen to it that weights have a file.
  const read = weightsFile === null ? [] : await readPerceptualWeights(weightsFile, names);
  const byName = new Map(names.map((name, i) => [name, read[i]]));
  return layers.map(({ name, weights }) => ({ name, weights: weights === null ? null : byName.get(weights)! }));
}

/** The perceptual loss of a config. @throws ConfigError or DataError if its network cannot be had. */
async function buildPerceptual(config: PerceptualConfig, note: Note): Promise<AutoencoderStepParts['perceptual']> {
  const { bytes, preparation } = await openNetworkFile(config.features, { note });
  const network = importOnnx(bytes);
  const shape = network.inputs[0]?.shape ?? [];
  const loss = perceptualLoss({
    network,
    layers: await layersOf(config),
    prepare: (pictures: Tensor) => prepareLatents(pictures, preparation),
    channelsLast: shape[3] === 3 && shape[1] !== 3,
  });
  return { loss, weight: config.weight };
}

function buildAdversary({ loss, autoencoder }: AutoencoderConfig) {
  if (loss.adversarial === null) return null;
  const { channels, layers, weight, largest } = loss.adversarial;
  const network = patchDiscriminator({ inputs: autoencoder.colors, channels, layers });
  return { network, parameters: parameterTypes(network.parameters), weight, largest } satisfies AdversaryParts;
}

/**
 * Everything that an autoencoder's trainer is made of.
 * @throws ConfigError if sizes do not fit; ConfigError or DataError if the perceptual loss's network cannot be had.
 */
export async function autoencoderTrainerOptions(
  runtime: Runtime,
  config: AutoencoderConfig,
  note: Note,
): Promise<AutoencoderTrainerOptions> {
  const { autoencoder, loss, training, seed } = config;
  const network = buildAutoencoder(autoencoder, training.rematerialise);
  const adversary = buildAdversary(config);
  const revival = autoencoder.kind === 'vq' ? autoencoder.revival : null;
  const { learningRate } = training.optimizer;
  return {
    runtime,
    parts: {
      network,
      parameters: parameterTypes(network.parameters),
      optimizer: buildOptimizer(training.optimizer),
      batch: training.batchSize,
      accumulate: training.accumulate,
      clip: training.clip,
      ema: training.ema !== null,
      pixel: loss.pixel,
      perceptual: loss.perceptual === null ? null : await buildPerceptual(loss.perceptual, note),
      adversary,
      recompute: training.rematerialise === 'cheap',
      latents: revival !== null,
    },
    learningRate,
    discriminatorLearningRate: loss.adversarial?.learningRate ?? learningRate,
    schedule: buildSchedule(training),
    ema: buildEma(training),
    adversarialStart: loss.adversarial?.startImages ?? 0,
    revival,
    seed,
    inPlace: training.inPlace,
    initial: initializeParameters(network.parameters, seed),
    discriminatorInitial: adversary === null ? null : initializeParameters(adversary.network.parameters, seed),
  };
}
