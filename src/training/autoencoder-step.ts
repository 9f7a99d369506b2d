/** The graphs of an autoencoder's training: a step without and with the discriminator, their halves for accumulation, evaluation. */
import { gradient } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import { abs, add, cast, clip, multiply, reduceMean, stopGradient, subtract } from '../engine/ops.ts';
import type { StateGroups } from '../engine/state-store.ts';
import { nextName } from '../engine/stepper.ts';
import { placeholder, type Tensor } from '../engine/tensor.ts';
import { type TypeTree, tensorType } from '../engine/trace.ts';
import type { ImageAutoencoder, Reconstruction } from '../models/image-autoencoder.ts';
import type { TensorsOf } from '../models/parameters.ts';
import type { PatchDiscriminator } from '../models/patch-discriminator.ts';
import { adaptiveWeight, hingeDiscriminatorLoss, hingeGeneratorLoss } from './adversarial-loss.ts';
import {
  clippedUpdate,
  PARAMETERS,
  type Ports,
  parameterInputs,
  placeholders,
  scalarTypes,
  type UpdateParts,
} from './parameter-update.ts';
import type { PerceptualLoss } from './perceptual-loss.ts';
import { stateTypes } from './step.ts';

/** The discriminator and its say. */
export interface AdversaryParts {
  readonly network: PatchDiscriminator;
  readonly parameters: TypeTree;
  /** Factor on the adaptive weight. */
  readonly weight: number;
  /** Largest adaptive weight; `null` for none. */
  readonly largest: number | null;
}

export interface AutoencoderStepParts extends UpdateParts {
  readonly network: ImageAutoencoder;
  /** Types of the network's parameters, in the form of its tree. */
  readonly parameters: TypeTree;
  /** Pictures of a batch. */
  readonly batch: number;
  /** Batches whose gradients are averaged for one update. */
  readonly accumulate: number;
  /** Mean absolute or mean squared error of pixels in [-1, 1]. */
  readonly pixel: 'l1' | 'l2';
  /** Distance of pictures in [-1, 1] by a network, and its factor; `null` for none. */
  readonly perceptual: { readonly loss: PerceptualLoss; readonly weight: number } | null;
  readonly adversary: AdversaryParts | null;
  /** Whether gradients compute again what is cheap, see `GradientOptions`. Default false. */
  readonly recompute?: boolean;
  /** Whether steps give their latents, from which dead codes are revived. */
  readonly latents: boolean;
}

/** Prefix of the discriminator's state. */
const DISCRIMINATOR = 'discriminator';

/** What the discriminator's update is made of: the optimiser and the limit are those of the autoencoder, without an average. */
function adversaryUpdate({ optimizer, clip: limit }: AutoencoderStepParts): UpdateParts {
  return { optimizer, clip: limit, ema: false };
}

function prefixed(ports: Ports): Ports {
  return ports.map(([name, tensor]) => [`${DISCRIMINATOR}.${name}`, tensor]);
}

/** Outputs `next:<state>` of the discriminator's state. */
function prefixedOutputs(ports: Ports): Ports {
  const next = nextName('');
  return ports.map(([name, tensor]) => [nextName(`${DISCRIMINATOR}.${name.slice(next.length)}`), tensor]);
}

/** Pixels uint8 in 0..255 as numbers in [-1, 1]. */
function pictureOf(pixels: Tensor): Tensor {
  return subtract(multiply(cast(pixels, 'float32'), 1 / 127.5), 1);
}

interface Inputs {
  readonly pictures: Tensor;
  readonly noise: Tensor | null;
  readonly ports: Ports;
}

function batchInputs({ network, batch }: AutoencoderStepParts, { noisy }: { readonly noisy: boolean }): Inputs {
  const { inputs, ports } = placeholders({
    pixels: tensorType([batch, ...network.input.shape], 'uint8'),
    ...(noisy ? { noise: tensorType([batch, ...network.latents.shape]) } : {}),
  });
  return { pictures: pictureOf(inputs.pixels), noise: inputs.noise ?? null, ports };
}

/** Losses of each picture, [batch]. */
interface PictureLosses {
  /** Pixels and what a network sees: what the adversary is weighed against. */
  readonly likeness: Tensor;
  readonly terms: Readonly<Record<string, Tensor>>;
}

function pictureLosses(
  { pixel, perceptual }: AutoencoderStepParts,
  { pictures, bottleneck }: Reconstruction,
  originals: Tensor,
): PictureLosses {
  const difference = subtract(pictures, originals);
  const pixels = reduceMean(pixel === 'l1' ? abs(difference) : multiply(difference, difference), { axes: [1, 2, 3] });
  if (perceptual === null) return { likeness: pixels, terms: { pixel: pixels, bottleneck } };
  const seen = perceptual.loss(pictures, originals);
  return {
    likeness: add(pixels, multiply(seen, perceptual.weight)),
    terms: { pixel: pixels, perceptual: seen, bottleneck },
  };
}

/** A batch through the networks: gradients by parameters, and what is told of the step. */
interface Pass {
  readonly ports: Ports;
  readonly gradients: readonly Tensor[];
  /** The discriminator's, where it takes part. */
  readonly adversary: { readonly ports: Ports; readonly gradients: readonly Tensor[] } | null;
  readonly inputs: Ports;
  readonly results: Ports;
}

function gradientsBy({ recompute = false }: AutoencoderStepParts, loss: Tensor, ports: Ports): readonly Tensor[] {
  const by = ports.map(([, tensor]) => tensor);
  return gradient(loss, by, { recompute }) as readonly Tensor[]; // a list for a list
}

function lastLayerOf({ network }: AutoencoderStepParts, ports: Ports): Tensor {
  const name = `${PARAMETERS}.${network.lastLayer}`;
  return ports.find(([port]) => port === name)![1];
}

function pass(parts: AutoencoderStepParts, adversary: AdversaryParts | null): Pass {
  const { network } = parts;
  const { tree, ports } = parameterInputs(parts.parameters, PARAMETERS);
  const { pictures, noise, ports: inputs } = batchInputs(parts, network);
  const made = network.reconstruct(tree, pictures, noise);
  const { likeness, terms } = pictureLosses(parts, made, pictures);
  const likenessMean = reduceMean(likeness);
  const loss = add(likenessMean, reduceMean(terms.bottleneck));
  const told = Object.entries(terms).map(([name, losses]): [string, Tensor] => [name, reduceMean(losses)]);
  const side = sideResults(parts, made);
  if (adversary === null) {
    const results: Ports = [['loss', loss], ...told, ...side];
    return { ports, gradients: gradientsBy(parts, loss, ports), adversary: null, inputs, results };
  }
  const judged = parameterInputs(adversary.parameters, PARAMETERS);
  // The discriminator's tree has the form of its parameters.
  const judge = (x: Tensor) => adversary.network.apply(judged.tree as TensorsOf<PatchDiscriminator['parameters']>, x);
  const fooling = reduceMean(hingeGeneratorLoss(judge(made.pictures)));
  const lastLayer = lastLayerOf(parts, ports);
  const weight = multiply(
    adaptiveWeight(likenessMean, fooling, { lastLayer, largest: adversary.largest }),
    adversary.weight,
  );
  const still = stopGradient(made.pictures);
  const discriminator = reduceMean(hingeDiscriminatorLoss(judge(pictures), judge(still)));
  const total = add(loss, multiply(weight, fooling));
  return {
    ports,
    gradients: gradientsBy(parts, total, ports),
    adversary: { ports: judged.ports, gradients: gradientsBy(parts, discriminator, judged.ports) },
    inputs,
    results: [
      ['loss', total],
      ...told,
      ['adversarial', fooling],
      ['adversarialWeight', weight],
      ['discriminator', discriminator],
      ...side,
    ],
  };
}

/** Counts of codes, and latents where they are wanted. */
function sideResults({ network, latents }: AutoencoderStepParts, made: Reconstruction): Ports {
  if (network.codebook === null || made.indices === null) return [];
  const counts: Ports = [['counts', network.codebook.counts(made.indices)]];
  return latents ? [...counts, ['latents', made.latents]] : counts;
}

/** Updates of the autoencoder and, where it takes part, the discriminator, from gradients. */
function updates(parts: AutoencoderStepParts, { ports, gradients, adversary }: Omit<Pass, 'inputs' | 'results'>) {
  const scalars = placeholders(scalarTypes(parts));
  const own = clippedUpdate(parts, ports, { gradients, scalars: scalars.inputs });
  const outputs: Ports = [...own.outputs, ['gradientNorm', own.norm]];
  if (adversary === null) return { inputs: [...ports, ...own.inputs, ...scalars.ports], outputs };
  const update = adversaryUpdate(parts);
  const theirs = placeholders(scalarTypes(update));
  const other = clippedUpdate(update, adversary.ports, {
    gradients: adversary.gradients,
    scalars: theirs.inputs,
  });
  return {
    inputs: [
      ...ports,
      ...own.inputs,
      ...scalars.ports,
      ...prefixed([...adversary.ports, ...other.inputs, ...theirs.ports]),
    ],
    outputs: [...outputs, ...prefixedOutputs(other.outputs), ['discriminatorNorm', other.norm] as [string, Tensor]],
  };
}

/** The adversary of a step; `null` before its start. */
function taking({ adversary }: AutoencoderStepParts, adversarial: boolean): AdversaryParts | null {
  return adversarial ? adversary : null;
}

/**
 * One whole training step. Results: `loss` and `gradientNorm`, its terms by name, [], and `counts` [codes] where there is a codebook.
 * Both networks see the parameters from before the step.
 * @param adversarial  whether the discriminator takes part.
 */
export function autoencoderStepGraph(parts: AutoencoderStepParts, adversarial: boolean): Graph {
  const through = pass(parts, taking(parts, adversarial));
  const { inputs, outputs } = updates(parts, through);
  return closeGraph([...inputs, ...through.inputs], [...outputs, ...through.results]);
}

function sumsOf(ports: Ports): Ports {
  return ports.map(([name, tensor]) => [`accumulated${name.slice(PARAMETERS.length)}`, placeholder(tensor)]);
}

/** First half of a step in parts: adds the batch's gradients to the groups `accumulated`. Results: as of a step, without norms. */
export function autoencoderAccumulateGraph(parts: AutoencoderStepParts, adversarial: boolean): Graph {
  const { ports, gradients, adversary, inputs, results } = pass(parts, taking(parts, adversarial));
  const added = (sums: Ports, by: readonly Tensor[]): Ports =>
    sums.map(([name, sum], index) => [nextName(name), add(sum, by[index])]);
  const sums = sumsOf(ports);
  const own = added(sums, gradients);
  if (adversary === null) return closeGraph([...ports, ...sums, ...inputs], [...own, ...results]);
  const theirs = sumsOf(adversary.ports);
  return closeGraph(
    [...ports, ...sums, ...prefixed([...adversary.ports, ...theirs]), ...inputs],
    [...own, ...prefixedOutputs(added(theirs, adversary.gradients)), ...results],
  );
}

/** Second half: updates with the means of the accumulated gradients and empties them. Results: the gradients' norms, []. */
export function autoencoderUpdateGraph(parts: AutoencoderStepParts, adversarial: boolean): Graph {
  const means = (sums: Ports) => sums.map(([, sum]) => multiply(sum, 1 / parts.accumulate));
  // Not times 0, which would leave zeros of both signs.
  const emptied = (sums: Ports): Ports => sums.map(([name, sum]) => [nextName(name), subtract(sum, sum)]);
  const { ports } = parameterInputs(parts.parameters, PARAMETERS);
  const sums = sumsOf(ports);
  const taken = taking(parts, adversarial);
  if (taken === null) {
    const { inputs, outputs } = updates(parts, { ports, gradients: means(sums), adversary: null });
    return closeGraph([...inputs, ...sums], [...outputs, ...emptied(sums)]);
  }
  const judged = parameterInputs(taken.parameters, PARAMETERS);
  const theirs = sumsOf(judged.ports);
  const adversary = { ports: judged.ports, gradients: means(theirs) };
  const { inputs, outputs } = updates(parts, { ports, gradients: means(sums), adversary });
  return closeGraph(
    [...inputs, ...sums, ...prefixed(theirs)],
    [...outputs, ...emptied(sums), ...prefixedOutputs(emptied(theirs))],
  );
}

/**
 * Reconstructions with the parameters of a state group (`parameters` or `ema`), from means where latents are drawn. Results: `losses`
 * [batch], of everything but the adversary; `pictures` float32 [batch, channels, height, width], clipped to [-1, 1]; `indices` int64
 * [batch, height, width] where there is a codebook.
 */
export function reconstructGraph(parts: AutoencoderStepParts, group: string): Graph {
  const { tree, ports } = parameterInputs(parts.parameters, group);
  const { pictures, ports: inputs } = batchInputs(parts, { noisy: false });
  const made = parts.network.reconstruct(tree, pictures, null);
  const { likeness, terms } = pictureLosses(parts, made, pictures);
  return closeGraph(
    [...ports, ...inputs],
    [
      ['losses', add(likeness, terms.bottleneck)],
      ['pictures', clip(made.pictures, -1, 1)],
      ...(made.indices === null ? [] : [['indices', made.indices] as [string, Tensor]]),
    ],
  );
}

/** Specs of the whole state by group, as a stepper wants them. */
export function autoencoderStateTypes(parts: AutoencoderStepParts): StateGroups {
  const own = stateTypes(parts);
  if (parts.adversary === null) return own;
  const { parameters } = parts.adversary;
  const theirs = stateTypes({ ...adversaryUpdate(parts), parameters, accumulate: parts.accumulate });
  const renamed = Object.entries(theirs).map(([group, specs]) => [
    `${DISCRIMINATOR}.${group}`,
    specs.map((spec) => ({ ...spec, name: `${DISCRIMINATOR}.${spec.name}` })),
  ]);
  return { ...own, ...Object.fromEntries(renamed) };
}

/** Names of the scalars of the discriminator's update, from those of an update. */
export function discriminatorScalar(name: string): string {
  return `${DISCRIMINATOR}.${name}`;
}
