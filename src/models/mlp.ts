import { broadcastTo, concat, reshape } from '../engine/ops.ts';
import { elementCount, type Shape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Activation, activations } from './layers/activation.ts';
import { type LabelParameters, labelEmbedding } from './layers/label-embedding.ts';
import { type LinearParameters, linear } from './layers/linear.ts';
import { blockCalls } from './layers/rematerialisation.ts';
import { timeEmbedding } from './layers/time-embedding.ts';
import { checkInputs, type Model } from './model.ts';
import type { TensorsOf } from './parameters.ts';

export interface MlpOptions {
  /** Shape of one sample, e.g. [2]; its elements are the features. */
  readonly shape: Shape;
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[];
  readonly activation: Activation;
  /** Number of sinusoidal features of time; `null` feeds time itself, as one feature. */
  readonly timeFeatures: number | null;
  /** Factor on time before its sinusoidal features. Default 1000. */
  readonly timeScale?: number;
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /** Width of the learned label features. Default 16. */
  readonly labelFeatures?: number;
}

export type MlpParameters = { readonly label?: LabelParameters; readonly layers: readonly LinearParameters[] };

/** Fully connected network on [x, features of time, features of the label], for points and small vectors. */
export function mlp(options: MlpOptions): Model {
  const { shape, hidden, activation, timeFeatures, timeScale = 1000, classes, labelFeatures = 16 } = options;
  const width = elementCount(shape);
  const label = classes === null ? null : labelEmbedding(classes, labelFeatures, { deviation: 1 });
  const first = width + (timeFeatures ?? 1) + (label === null ? 0 : labelFeatures);
  const widths = [first, ...hidden, width];
  const layers = widths.slice(1).map((outputs, i) => linear(widths[i], outputs));
  const parameters: MlpParameters = {
    ...(label === null ? {} : { label: label.parameters }),
    layers: layers.map((layer) => layer.parameters),
  };
  const facts = {
    name: `MLP-${hidden.join('-')}`,
    parameters,
    predicts: 'velocity',
    input: { shape },
    classes,
  } as const;
  return {
    ...facts,
    apply(tensors: TensorsOf<MlpParameters>, inputs, { rematerialise = 'nothing' } = {}) {
      checkInputs(facts, inputs);
      const { x, time, labels } = inputs;
      const [batch] = x.shape;
      const features = [
        reshape(x, [batch, width]),
        timeFeatures === null ? reshape(time, [batch, 1]) : timeEmbedding(time, timeFeatures, { timeScale }),
      ];
      if (label !== null && tensors.label !== undefined) {
        features.push(broadcastTo(label.apply(tensors.label, labels), [batch, labelFeatures]));
      }
      const result = layers.reduce(
        (before, layer, i) => {
          const block = (h: Tensor) => layer.apply(tensors.layers[i], i === 0 ? h : activations[activation](h));
          return blockCalls[rematerialise](block, before);
        },
        concat(features, 1),
      );
      return reshape(result, x.shape);
    },
  };
}
