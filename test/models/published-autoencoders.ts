/** Autoencoders and the discriminator by the options of `scripts/golden/autoencoders.py`, and graphs of them. */
import { gradient } from '../../src/engine/gradient.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { add, cast, multiply, reduceSum } from '../../src/engine/ops.ts';
import type { Shape } from '../../src/engine/shape.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import type { AutoencoderOptions } from '../../src/models/autoencoder.ts';
import type { CheckpointMap } from '../../src/models/checkpoint-map.ts';
import { autoencoderCheckpoint } from '../../src/models/checkpoint-names/autoencoder.ts';
import { patchDiscriminatorCheckpoint } from '../../src/models/checkpoint-names/patch-discriminator.ts';
import {
  gaussianDivergence,
  type KlAutoencoderParameters,
  klAutoencoder,
  sampleGaussian,
} from '../../src/models/kl-autoencoder.ts';
import { type ParameterTree, parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';
import {
  type PatchDiscriminatorOptions,
  type PatchDiscriminatorParameters,
  patchDiscriminator,
} from '../../src/models/patch-discriminator.ts';
import { type VqVaeOptions, type VqVaeParameters, vqVae } from '../../src/models/vq-vae.ts';
import type { Fill, Summary } from './golden-tensors.ts';

export type PublishedKind = 'kl' | 'vq' | 'discriminator';

/** What `scripts/golden/autoencoders.py` writes of one network. */
export interface GoldenAutoencoder {
  readonly kind: PublishedKind;
  readonly options: object;
  /** Shapes of PyTorch's state by name. */
  readonly state: Readonly<Record<string, readonly number[]>>;
  readonly tensors: Readonly<Record<string, Fill>>;
  readonly x: Fill;
  readonly noise: Fill | null;
  readonly weights: Fill;
  readonly output: readonly number[];
  readonly loss: readonly number[];
  readonly indices?: readonly number[];
  readonly gradients: Readonly<Record<string, Summary>>;
}

interface Passed {
  /** Pixels or logits. */
  readonly y: Tensor;
  /** [batch]; `null` for a network without. */
  readonly loss: Tensor | null;
  readonly indices?: Tensor;
}

export interface PublishedAutoencoder {
  readonly parameters: ParameterTree;
  readonly checkpoint: CheckpointMap;
  pass(parameters: TensorTree, x: Tensor, noise: Tensor): Passed;
}

/** The casts: a golden file holds the options that its kind of network wants, and the tree of tensors is that of the parameters. */
export const publishedAutoencoders: { readonly [K in PublishedKind]: (options: object) => PublishedAutoencoder } = {
  kl: (options) => {
    const { parameters, encode, decode } = klAutoencoder(options as AutoencoderOptions);
    return {
      parameters,
      checkpoint: autoencoderCheckpoint(options as AutoencoderOptions),
      pass(tree, x, noise) {
        const tensors = tree as TensorsOf<KlAutoencoderParameters>;
        const gaussian = encode(tensors, x);
        return { y: decode(tensors, sampleGaussian(gaussian, noise)), loss: gaussianDivergence(gaussian) };
      },
    };
  },
  vq: (options) => {
    const { parameters, encode, quantize, decode } = vqVae(options as VqVaeOptions);
    return {
      parameters,
      checkpoint: autoencoderCheckpoint(options as VqVaeOptions),
      pass(tree, x) {
        const tensors = tree as TensorsOf<VqVaeParameters>;
        const { quantized, loss, indices } = quantize(tensors, encode(tensors, x));
        return { y: decode(tensors, quantized), loss, indices: cast(indices, 'int32') };
      },
    };
  },
  discriminator: (options) => {
    const { parameters, apply } = patchDiscriminator(options as PatchDiscriminatorOptions);
    return {
      parameters,
      checkpoint: patchDiscriminatorCheckpoint(options as PatchDiscriminatorOptions),
      pass: (tree, x) => ({ y: apply(tree as TensorsOf<PatchDiscriminatorParameters>, x), loss: null }),
    };
  },
};

export interface PassShapes {
  readonly x: Shape;
  readonly noise: Shape;
  readonly weights: Shape;
}

/** Graph of output y, loss and indices, and of the gradient of <y, w> + sum of the loss with respect to all parameters. */
export function passGraph({ parameters, pass }: PublishedAutoencoder, shapes: PassShapes): Graph {
  const types = {
    p: parameterTypes(parameters),
    x: tensorType(shapes.x),
    noise: tensorType(shapes.noise),
    w: tensorType(shapes.weights),
  };
  return trace((inputs) => {
    const { p, x, noise, w } = inputs as unknown as { p: TensorTree; x: Tensor; noise: Tensor; w: Tensor };
    const { y, loss, ...more } = pass(p, x, noise);
    const product = reduceSum(multiply(y, w));
    const scalar = loss === null ? product : add(product, reduceSum(loss));
    return { y, ...(loss === null ? {} : { loss }), ...more, g: gradient(scalar, p) };
  }, types);
}
