import { averagePool2d, cast, multiply, relu, reshape, subtract } from '../engine/ops.ts';
import { sameShape } from '../engine/shape.ts';
import { formatType, type Tensor } from '../engine/tensor.ts';
import type { TensorTree } from '../engine/trace.ts';
import { ConfigError, ShapeError } from '../errors.ts';
import { type ConvolutionParameters, convolution } from './layers/convolution.ts';
import { groupNormLayer, type NormParameters } from './layers/group-norm.ts';
import { parametersOf } from './layers/layer.ts';
import { type LinearParameters, linear } from './layers/linear.ts';
import { type ParameterTree, type TensorsOf, uniform } from './parameters.ts';

const where = 'models/image-classifier';

export interface ImageClassifierOptions {
  /** [channels, height, width] of an image: 1 or 3 channels, height and width in 8..64. */
  readonly shape: ImageShape;
  /** Number of classes, at least 2. */
  readonly classes: number;
  /** Channels of the first stage; the later ones have twice as many. A multiple of `groups`. Default 16. */
  readonly width?: number;
  /** Length of the features. Default 64. */
  readonly features?: number;
  /** Groups of the norms. Default 8. */
  readonly groups?: number;
}

/** Channels, height and width. */
type ImageShape = readonly [number, number, number];

/** What a classifier says of a batch. */
export interface Classification {
  /** What the scores are linear in, at least 0: float [batch, features]. */
  readonly features: Tensor;
  /** Scores before the softmax, float [batch, classes]. */
  readonly scores: Tensor;
}

/** A network from images to features and scores of classes, as a pure function of its parameters. */
export interface ImageClassifier {
  readonly name: string;
  readonly parameters: ParameterTree;
  readonly input: { readonly shape: ImageShape };
  readonly classes: number;
  /** Length of the features. */
  readonly features: number;
  /**
   * @param parameters  tensors in the form of `parameters`.
   * @param pixels  uint8 [batch, channels, height, width]; the network sees them as numbers in [-1, 1].
   * @throws ShapeError if the pixels do not fit.
   */
  apply(parameters: TensorTree, pixels: Tensor): Classification;
}

type StageParameters = {
  readonly convolution: ConvolutionParameters;
  readonly norm: NormParameters;
};

type ClassifierParameters = {
  readonly stages: readonly StageParameters[];
  /** From the last map, row by row, to the features. */
  readonly hidden: LinearParameters;
  readonly head: LinearParameters;
};

/** Keeps the variance of what ReLU is applied to: deviation sqrt(2 / fanIn), here of a uniform distribution [he:15, eq. (10)]. */
function reluStart(fanIn: number) {
  return uniform(Math.sqrt(6 / fanIn));
}

/** relu(norm(conv(x))), then means of 2 x 2 pixels; the last row or column of an odd size is left out. */
function stage(inputs: number, outputs: number, groups: number) {
  const kernel = convolution(inputs, outputs, { start: reluStart(inputs * 9) });
  const norm = groupNormLayer(outputs, groups);
  return {
    parameters: parametersOf({ convolution: kernel, norm }),
    apply: (parameters: TensorsOf<StageParameters>, x: Tensor) => {
      const map = relu(norm.apply(parameters.norm, kernel.apply(parameters.convolution, x)));
      return averagePool2d(map, { window: 2 });
    },
  };
}

/** Stages after which a map has at most this height and width. */
const LARGEST_LAST_MAP = 8;

function stagesFor({ shape: [, height, width] }: ImageClassifierOptions): number {
  return Math.max(2, Math.ceil(Math.log2(Math.max(height, width) / LARGEST_LAST_MAP)));
}

function checkOptions({ shape: [channels, height, width], classes }: ImageClassifierOptions): void {
  const fits = (channels === 1 || channels === 3) && [height, width].every((side) => side >= 8 && side <= 64);
  if (!fits) {
    throw new ConfigError({
      expected: 'images with 1 or 3 channels, height and width in 8..64',
      got: `${channels} x ${height} x ${width}`,
      where,
      remedy: 'images of a smaller size, or features of a pretrained network',
    });
  }
  if (!(classes >= 2)) throw new ConfigError({ expected: 'at least 2 classes', got: `${classes}`, where });
}

function checkPixels(pixels: Tensor, shape: ImageShape): void {
  if (pixels.dtype === 'uint8' && sameShape(pixels.shape.slice(1), shape)) return;
  const expected = `\`pixels\` to be uint8 [batch, ${shape.join(', ')}]`;
  throw new ShapeError({ expected, got: formatType(pixels), where });
}

/**
 * Small convolutional classifier: stages of a 3 x 3 convolution, group norm [wu:18], ReLU and pooling until the map has at most 8 x 8
 * positions; a linear layer with ReLU gives the features, another one the scores.
 * @throws ConfigError if images are too small or too large, there are fewer than 2 classes, or `groups` does not divide `width`.
 */
export function imageClassifier(options: ImageClassifierOptions): ImageClassifier {
  checkOptions(options);
  const { shape, classes, width = 16, features = 64, groups = 8 } = options;
  const count = stagesFor(options);
  const stages = Array.from({ length: count }, (_, i) =>
    stage(i === 0 ? shape[0] : i === 1 ? width : 2 * width, i === 0 ? width : 2 * width, groups),
  );
  const positions = shape.slice(1).reduce((product, side) => product * (side >> count), 1);
  const hidden = linear(positions * 2 * width, features, { weight: reluStart(positions * 2 * width) });
  const head = linear(features, classes);
  const parameters: ClassifierParameters = {
    stages: stages.map((layer) => layer.parameters),
    hidden: hidden.parameters,
    head: head.parameters,
  };
  return {
    name: `CNN-${count}x${width}-${features}`,
    parameters,
    input: { shape },
    classes,
    features,
    apply(tensors: TensorsOf<ClassifierParameters>, pixels) {
      checkPixels(pixels, shape);
      const x = subtract(multiply(cast(pixels, 'float32'), 1 / 127.5), 1);
      const map = stages.reduce((h, layer, i) => layer.apply(tensors.stages[i], h), x);
      const rows = reshape(map, [map.shape[0], positions * 2 * width]);
      const last = relu(hidden.apply(tensors.hidden, rows));
      return { features: last, scores: head.apply(tensors.head, last) };
    },
  };
}
