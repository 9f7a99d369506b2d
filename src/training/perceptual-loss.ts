/** Perceptual loss: the distance of images by what a network sees in them. */
import { frozenParameters, type ImportedModel } from '../engine/onnx/import-model.ts';
import {
  add,
  constantTensor,
  divide,
  multiply,
  reduceMean,
  reduceSum,
  sqrt,
  subtract,
  transpose,
} from '../engine/ops.ts';
import { formatType, sameType, type Tensor } from '../engine/tensor.ts';
import { ConfigError, ShapeError } from '../errors.ts';

const where = 'training/perceptual-loss';

/** A layer whose maps are compared. */
export interface PerceptualLayer {
  /** Name of a value of the network, float [batch, channels, height, width]. */
  readonly name: string;
  /** Weight of each channel, at least 0, such as a head of LPIPS; default `null`: 1 / channels each, which makes a mean. */
  readonly weights?: ArrayLike<number> | null;
}

export interface PerceptualOptions {
  /** A network with one input. Its parameters stay as they are. */
  readonly network: ImportedModel;
  /** At least one. */
  readonly layers: readonly PerceptualLayer[];
  /** Input of the network from images [batch, channels, height, width]: range, channels and size. Default: the images themselves. */
  readonly prepare?: (images: Tensor) => Tensor;
  /** Whether the network has channels behind height and width, in its input and its layers. Default false. */
  readonly channelsLast?: boolean;
  /** Whether the vector of channels at each position is scaled to length 1 before maps are compared. Default true. */
  readonly normalize?: boolean;
  /** Added to the squared length of that vector, so that the derivative is bounded where all channels are 0. Default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Distance of each image from the other of its row: at least 0, and 0 for equal images.
 * @param images  float32 [batch, channels, height, width], of what the network and `prepare` take.
 * @param others  of the same type.
 * @returns float32 [batch].
 */
export type PerceptualLoss = (images: Tensor, others: Tensor) => Tensor;

function onlyInput({ inputs }: ImportedModel): string {
  const [input] = inputs;
  if (input !== undefined && inputs.length === 1) return input.name;
  const got = inputs.map(({ name }) => `\`${name}\``).join(', ') || 'none';
  throw new ConfigError({ expected: 'a network with one input', got, where });
}

function checkLayers({ layers, network, epsilon = 1e-8 }: PerceptualOptions): void {
  if (!(epsilon > 0)) throw new ConfigError({ expected: '`epsilon` to be above 0', got: `${epsilon}`, where });
  if (layers.length === 0) throw new ConfigError({ expected: 'at least one layer', got: 'none', where });
  const known = new Set(network.values);
  for (const { name, weights = null } of layers) {
    if (!known.has(name)) {
      const some = network.values.slice(0, 9).map((value) => `\`${value}\``);
      throw new ConfigError({
        expected: `a layer of the network, such as ${some.join(', ')}`,
        got: `\`${name}\``,
        where,
      });
    }
    const wrong = Array.from(weights ?? []).find((weight) => !(weight >= 0 && weight < Infinity));
    if (wrong === undefined) continue;
    throw new ConfigError({ expected: `weights of \`${name}\` to be at least 0`, got: `${wrong}`, where });
  }
}

/** x / sqrt(sum over channels of x^2 + epsilon). */
function unitLength(x: Tensor, epsilon: number): Tensor {
  return divide(x, sqrt(add(reduceSum(multiply(x, x), { axes: [1], keepDims: true }), epsilon)));
}

/** Weighted sum over channels of the mean over positions of squared differences, [batch]. */
function layerDistance(a: Tensor, b: Tensor, { name, weights = null }: PerceptualLayer): Tensor {
  const difference = subtract(a, b);
  const squares = reduceMean(multiply(difference, difference), { axes: [2, 3] }); // [batch, channels]
  if (weights === null) return reduceMean(squares, { axes: [1] });
  const [, channels] = squares.shape;
  if (weights.length !== channels) {
    const expected = `\`weights\` of layer \`${name}\` to be [channels] = [${channels}]`;
    throw new ShapeError({ expected, got: `[${weights.length}]`, where });
  }
  return reduceSum(multiply(squares, constantTensor(Array.from(weights), [channels], squares.dtype)), { axes: [1] });
}

function checkMap({ name }: PerceptualLayer, map: Tensor): void {
  if (map.shape.length === 4) return;
  const expected = `layer \`${name}\` to have maps, [batch, channels, height, width]`;
  throw new ConfigError({ expected, got: formatType(map), where, remedy: 'an earlier layer' });
}

/**
 * The perceptual loss of a network, to be traced and differentiated with respect to either image:
 *   d(x, y) = sum over layers l of mean over positions of sum over channels c of w_lc (u_lc(x) - u_lc(y))^2,
 * where u_l is the map of layer l, scaled to length 1 over its channels. With weights of LPIPS this is [zhang:18, eq. (1)] with the weights
 * of its published files, which stand outside of the square; without `normalize` and weights it is the feature loss of [johnson:16, eq. (2)].
 *
 * @throws ConfigError for a network with other than one input, a layer that it does not have, or a negative weight. When it is traced,
 *   ShapeError if the images differ in type or do not fit the network, or a layer has another number of channels than weights; ConfigError if
 *   a layer has no maps.
 */
export function perceptualLoss(options: PerceptualOptions): PerceptualLoss {
  const { network, layers, prepare = (x) => x, channelsLast = false, normalize = true, epsilon = 1e-8 } = options;
  checkLayers(options);
  const input = onlyInput(network);
  const parameters = frozenParameters(network.parameters);
  const outputs = layers.map(({ name }) => name);
  const mapsOf = (images: Tensor): Tensor[] => {
    const prepared = prepare(images);
    const given = channelsLast ? transpose(prepared, [0, 2, 3, 1]) : prepared;
    const values = network.apply(parameters, { [input]: given }, { outputs });
    return layers.map((layer) => {
      const map = values[layer.name];
      checkMap(layer, map);
      const ordered = channelsLast ? transpose(map, [0, 3, 1, 2]) : map;
      return normalize ? unitLength(ordered, epsilon) : ordered;
    });
  };
  return (images, others) => {
    if (!sameType(images, others) || images.shape.length !== 4) {
      const expected = 'two batches of images of one type, [batch, channels, height, width]';
      throw new ShapeError({ expected, got: `${formatType(images)} and ${formatType(others)}`, where });
    }
    const [first, second] = [mapsOf(images), mapsOf(others)];
    return layers.map((layer, i) => layerDistance(first[i], second[i], layer)).reduce((a, b) => add(a, b));
  };
}
