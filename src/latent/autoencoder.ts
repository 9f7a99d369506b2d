/** Latents of a trained autoencoder, normalised per channel, computed on the engine batch by batch. */
import { callsInOrder, closeGraph, type Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { add, constantTensor, multiply } from '../engine/ops.ts';
import type { Runtime } from '../engine/runtime.ts';
import { elementCount } from '../engine/shape.ts';
import { createStepper, type Stepper } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { isTensor, isTensorType, type TensorTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import { NumericalError } from '../errors.ts';
import type { ImageAutoencoder } from '../models/image-autoencoder.ts';
import { parameterTypes } from '../models/parameters.ts';
import { identityLatent } from './identity.ts';
import type { Latent } from './latent.ts';

/** What makes latents of mean 0 and standard deviation 1: (value - mean) / deviation, for each channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** The normalisation that changes nothing. */
export function noNormalization(channels: number): Normalization {
  return { mean: new Array<number>(channels).fill(0), deviation: new Array<number>(channels).fill(1) };
}

export interface AutoencoderLatentOptions {
  readonly network: ImageAutoencoder;
  /** Values of its parameters by path. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  readonly normalization: Normalization;
  /** Opens what executes the network, when it is first needed; the latent owns it. */
  readonly openRuntime: () => Promise<Runtime>;
  /** Pictures that go through the network together; default as many as have the pixels of 32 pictures of 64 x 64, and at most 64. */
  readonly batch?: number;
}

type Build = (parameters: TensorTree, x: Tensor) => Tensor;

/** A graph over the parameters and `x`, with the parameters alone that it reads. */
function coderGraph({ network }: AutoencoderLatentOptions, shape: readonly number[], build: Build): Graph {
  const tree = mapTree<TensorType, Tensor>(parameterTypes(network.parameters), isTensorType, (_path, type) =>
    placeholder(type),
  );
  const x = placeholder(tensorType(shape));
  const y = build(tree, x);
  const read = new Set(callsInOrder([y]).flatMap(({ inputs }) => inputs));
  const ports = flattenTree<Tensor>(tree, isTensor).filter(([, tensor]) => read.has(tensor));
  return closeGraph([...ports, ['x', x]], [['y', y]]);
}

/** A graph with its parameters in a runtime's memory. */
interface Coder {
  readonly stepper: Stepper;
  readonly runtime: Runtime;
}

async function openCoder(options: AutoencoderLatentOptions, graph: Graph): Promise<Coder> {
  const runtime = await options.openRuntime();
  try {
    const { provider, channelBlock } = runtime;
    const model = emitModel(graph, { provider, channelBlock });
    const specs = model.inputs.filter(({ name }) => name !== 'x');
    const stepper = await createStepper(runtime, { state: { parameters: specs }, programs: { code: { model } } });
    await stepper.writeState(Object.fromEntries(specs.map(({ name }) => [name, options.parameters[name]!])));
    return { stepper, runtime };
  } catch (error) {
    runtime.release();
    throw error;
  }
}

/** A coder that is opened by its first use. */
function lazyCoder(options: AutoencoderLatentOptions, graphOf: () => Graph) {
  let opened: Promise<Coder> | null = null;
  return {
    stepper: async () => {
      opened ??= openCoder(options, graphOf());
      return (await opened).stepper;
    },
    release() {
      const coder = opened;
      opened = null;
      // A coder that could not be opened has nothing to give back.
      coder?.then(
        ({ stepper, runtime }) => {
          stepper.release();
          runtime.release();
        },
        () => {},
      );
    },
  };
}

type Values = Float32Array | Uint8Array;

/** Rows of [count, from] through a stepper of a batch, to rows of [count, to] in `out`. */
async function inBatches<A extends Values>(
  stepper: Stepper,
  rows: Float32Array,
  { batch, from, to, out }: { readonly batch: number; readonly from: number; readonly to: number; readonly out: A },
): Promise<A> {
  for (let start = 0; start < rows.length / from; start += batch) {
    const part = rows.subarray(start * from, (start + batch) * from);
    // The last batch is filled up with zeros.
    const x = part.length === batch * from ? part : new Float32Array(batch * from);
    if (x !== part) x.set(part);
    const { y } = await stepper.run('code', { inputs: { x } });
    out.set((y as A).subarray(0, (part.length / from) * to), start * to); // of the graph's dtype
  }
  return out;
}

/** @throws NumericalError if a channel does not vary: its latents cannot be normalised. */
function checkNormalization({ mean, deviation }: Normalization): void {
  const stray = deviation.findIndex((value, channel) => !(value > 0) || !Number.isFinite(value + mean[channel]!));
  if (stray === -1) return;
  throw new NumericalError({
    expected: `channel ${stray} of the latents to have a finite mean and a standard deviation above 0`,
    got: `${mean[stray]} and ${deviation[stray]}`,
    where: 'latent/autoencoder',
  });
}

function usualBatch(area: number): number {
  return Math.min(64, Math.max(1, Math.floor((32 * 64 * 64) / area)));
}

/** value -> (value - mean) / deviation by channel, in float64, in place; `area` values of a channel follow each other. */
export function normalize(latents: Float32Array, { mean, deviation }: Normalization, area: number): Float32Array {
  for (let start = 0; start < latents.length; start += area) {
    const channel = (start / area) % mean.length;
    const [centre, scale] = [mean[channel]!, deviation[channel]!];
    for (let i = start; i < start + area; i++) latents[i] = (latents[i]! - centre) / scale;
  }
  return latents;
}

/** Values of channels as a constant that goes with [batch, channels, height, width]. */
function byChannel(values: readonly number[]): Tensor {
  return constantTensor(values, [1, values.length, 1, 1]);
}

/**
 * The latents of an autoencoder. Pictures are encoded as it encodes them (of a VQ-VAE: before quantisation; of a KL autoencoder: the means)
 * and normalised by constants; decoding quantises first where the autoencoder does. At most `batch` pictures are in the network at once.
 * @throws NumericalError if the normalisation is not finite or divides by 0; from encode and decode RuntimeError.
 */
export function autoencoderLatent(options: AutoencoderLatentOptions): Latent {
  const { network, parameters, normalization } = options;
  checkNormalization(normalization);
  const pixels = network.input.shape;
  const { shape } = network.latents;
  const [channels, height, width] = pixels;
  const batch = options.batch ?? usualBatch(height * width);
  const identity = identityLatent(pixels);
  const sizes = { pixels: channels * height * width, latents: elementCount(shape) };
  const decoded = (tree: TensorTree, latents: Tensor) => {
    const raw = add(multiply(latents, byChannel(normalization.deviation)), byChannel(normalization.mean));
    return identity.decodeTensor(network.decode(tree, raw));
  };
  const encoder = lazyCoder(options, () => coderGraph(options, [batch, ...pixels], network.encode));
  const decoder = lazyCoder(options, () => coderGraph(options, [batch, ...shape], decoded));
  return {
    kind: 'autoencoder',
    shape,
    pixels,
    async encode(bytes) {
      const out = new Float32Array((bytes.length / sizes.pixels) * sizes.latents);
      const pictures = await identity.encode(bytes);
      await inBatches(await encoder.stepper(), pictures, { batch, from: sizes.pixels, to: sizes.latents, out });
      return normalize(out, normalization, shape[1] * shape[2]);
    },
    async decode(latents) {
      const out = new Uint8Array((latents.length / sizes.latents) * sizes.pixels);
      return inBatches(await decoder.stepper(), latents, { batch, from: sizes.latents, to: sizes.pixels, out });
    },
    decodeTensor(latents) {
      const constants = mapTree<TensorType, Tensor>(parameterTypes(network.parameters), isTensorType, (path, type) =>
        constantTensor(parameters[path]!, type.shape),
      );
      return decoded(constants, latents);
    },
    release() {
      encoder.release();
      decoder.release();
    },
  };
}
