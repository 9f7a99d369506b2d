/** Features from any ONNX file: images are prepared and the network is run in one graph, with its weights as constants. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ImportedModel, importOnnx } from '../../engine/onnx/import-model.ts';
import { reduceMean, reshape, sliceAxis, softmax, transpose } from '../../engine/ops.ts';
import type { Runtime } from '../../engine/runtime.ts';
import { elementCount, formatShape } from '../../engine/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { tensorType, trace } from '../../engine/trace.ts';
import { ConfigError, DataError } from '../../errors.ts';
import { type FeatureNetwork, type ImageShape, imagesIn } from './feature-network.ts';
import { checkPreparation, describePreparation, type ImagePreparation, prepareImages } from './image-preparation.ts';
import { createImageRunner, keepingLast } from './image-runner.ts';

const where = 'metrics/features/onnx-features';

/** How the values of a layer become one row of features. */
export const poolings = ['mean', 'first', 'none'] as const;
/** `mean` over the pixels of feature maps or over tokens; `first` token, where transformers keep the class; `none`: all values. */
export type Pooling = (typeof poolings)[number];

/** A network in an ONNX file, and what it expects. */
export interface OnnxFeatureOptions {
  /** Name in conventions; the hash tells files of one name apart. */
  readonly name: string;
  /** The file's bytes, or its path. All weights must be in it, so that its hash stands for them. */
  readonly file: Uint8Array | string;
  readonly preparation: ImagePreparation;
  /** Any value of the graph. Default: its first output. */
  readonly layer?: string | null;
  /** Default `none`. */
  readonly pooling?: Pooling;
  /** The value that holds probabilities of classes [batch, classes], or scores whose softmax they are. Default `null`: none. */
  readonly classes?: { readonly layer: string; readonly softmax: boolean } | null;
  /** Images of one run; the last run of a call is filled up. Default 32, or what the file is made for. */
  readonly batch?: number;
}

interface OpenNetwork extends OnnxFeatureOptions {
  readonly model: ImportedModel;
  readonly hash: string;
  readonly input: string;
  /** Whether the file has channels behind height and width, there and in its feature maps. */
  readonly channelsLast: boolean;
  readonly layer: string;
  readonly batch: number;
}

/** @throws DataError if the file cannot be read. */
function bytesOf(file: Uint8Array | string): Uint8Array {
  if (typeof file !== 'string') return file;
  try {
    return readFileSync(file);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${file}\` to be a readable ONNX file`, got, where, cause });
  }
}

/** The first 16 hexadecimal digits of the SHA-256 of a file's bytes. */
function fileHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** The model's only input. @throws ConfigError if it is no batch of colour images. */
function imageInput({ inputs }: ImportedModel, name: string) {
  const [input] = inputs;
  const shape = input?.shape ?? null;
  const colours = shape?.length === 4 ? [shape[1], shape[3]].map((size) => size === 3 || typeof size !== 'number') : [];
  if (inputs.length === 1 && input!.dtype === 'float32' && colours.includes(true)) {
    // Where nothing is fixed the order is ONNX's own.
    const channelsLast = shape![3] === 3 && shape![1] !== 3;
    return { ...input!, shape: shape!, channelsLast };
  }
  throw new ConfigError({
    expected: `\`${name}\` to have one input, float [batch, 3, height, width] or [batch, height, width, 3]`,
    got: inputs.map((one) => `\`${one.name}\` ${one.elementType} [${one.shape?.join(', ') ?? '?'}]`).join(', '),
    where,
  });
}

function openNetwork(options: OnnxFeatureOptions): OpenNetwork {
  checkPreparation(options.preparation, where);
  const bytes = bytesOf(options.file);
  const model = importOnnx(bytes);
  const { name: input, shape, channelsLast } = imageInput(model, options.name);
  const [fixedBatch] = shape;
  const batch = typeof fixedBatch === 'number' ? fixedBatch : (options.batch ?? 32);
  if (!(Number.isInteger(batch) && batch > 0)) {
    throw new ConfigError({ expected: '`batch` to be a positive integer', got: String(batch), where });
  }
  const layer = options.layer ?? model.outputs[0]!.name;
  return { ...options, model, hash: fileHash(bytes), input, channelsLast, layer, batch };
}

/** One row for each image: [batch, features]. */
function pooled(x: Tensor, { pooling = 'none', channelsLast, layer, batch }: OpenNetwork): Tensor {
  const rank = x.shape.length;
  if (x.shape[0] !== batch || rank < 2) {
    throw new ConfigError({
      expected: `layer \`${layer}\` to have one row an image, [${batch}, ...]`,
      got: formatShape(x.shape),
      where,
      remedy: 'another layer',
    });
  }
  const rows = (values: Tensor) => reshape(values, [batch, elementCount(values.shape) / batch]);
  if (pooling === 'first' && rank === 3) return rows(sliceAxis(x, 1, 0, 1));
  if (pooling === 'mean' && rank === 3) return reduceMean(x, { axes: [1] });
  if (pooling === 'mean' && rank === 4) return reduceMean(x, { axes: channelsLast ? [1, 2] : [2, 3] });
  if (pooling === 'none' || rank === 2) return rows(x);
  const expected = `layer \`${layer}\` to have ${pooling === 'mean' ? 'pixels or tokens' : 'tokens'}`;
  throw new ConfigError({ expected, got: formatShape(x.shape), where, remedy: 'pooling `none`' });
}

interface NetworkOutputs extends Readonly<Record<string, Tensor>> {
  readonly features: Tensor;
}

/**
 * Features, and probabilities where there are any, of images.
 * @param pixels  uint8, or float32 in 0 to 255, [batch, channels, height, width].
 */
function networkOutputs(network: OpenNetwork, pixels: Tensor): NetworkOutputs {
  const { model, layer, classes = null, preparation, channelsLast } = network;
  const images = prepareImages(pixels, preparation);
  const input = channelsLast ? transpose(images, [0, 2, 3, 1]) : images;
  const outputs = classes === null ? [layer] : [layer, classes.layer];
  const values = model.apply({}, { [network.input]: input }, { outputs });
  const features = pooled(values[layer]!, network);
  if (classes === null) return { features };
  const scores = pooled(values[classes.layer]!, { ...network, layer: classes.layer, pooling: 'none' });
  return { features, probabilities: classes.softmax ? softmax(scores) : scores };
}

/**
 * Features of images as a function to trace: it can be differentiated with respect to the pixels.
 * @param pixels  float32 [batch, channels, height, width], 0 to 255.
 * @returns float32 [batch, dimensions].
 */
export function tracedFeatures(options: OnnxFeatureOptions, pixels: Tensor): Tensor {
  return networkOutputs(openNetwork({ ...options, batch: pixels.shape[0]! }), pixels).features;
}

/** Widths of features and, where there are any, of probabilities. */
function widthsOf(network: OpenNetwork): Readonly<Record<string, number>> {
  const { batch, preparation } = network;
  const types = { pixels: tensorType([batch, 3, ...preparation.size], 'uint8') };
  const graph = trace(({ pixels }) => networkOutputs(network, pixels), types);
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, graph.values[value]!.shape[1]!]));
}

/**
 * A feature network from an ONNX file. Each shape of images is compiled when it first comes. A row does not depend on the other images
 * of its batch, and on the size of the batch at most by the order of sums, within 1e-5 of the largest feature; rows of Inception v3 were
 * equal to the last bit for batches of 1 to 32 and one or two threads.
 * @throws DataError if the file cannot be read or imported; ConfigError if its input is no batch of images, or the layer has not one row
 *   an image; ShapeError if the file is made for another input size.
 */
export function onnxFeatures(runtime: Runtime, options: OnnxFeatureOptions): FeatureNetwork {
  const network = openNetwork(options);
  const widths = widthsOf(network);
  const { classes = null, hash, name, layer, pooling = 'none', preparation } = network;
  const outputs = (pixels: Tensor) => networkOutputs(network, pixels);
  const passes = createImageRunner(runtime, { batch: network.batch, outputs });
  const runner = classes === null ? passes : keepingLast(passes);
  const resultOf = (output: string) => async (pixels: Uint8Array, shape: ImageShape) => {
    if (imagesIn(pixels, shape, where) === 0) return new Float32Array(0);
    return (await runner.run(pixels, shape))[output]!.slice();
  };
  const named = options.layer == null ? name : `${name}:${layer}`;
  return {
    network: [named, ...(pooling === 'none' ? [] : [pooling]), describePreparation(preparation)].join(' '),
    hash,
    dimensions: widths.features!,
    extract: resultOf('features'),
    ...(classes === null ? {} : { classify: resultOf('probabilities') }),
    release: runner.release,
  };
}
