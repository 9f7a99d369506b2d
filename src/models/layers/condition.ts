import { add, silu } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorsOf } from '../parameters.ts';
import { type LabelParameters, labelEmbedding } from './label-embedding.ts';
import type { Layer } from './layer.ts';
import { type LinearOptions, type LinearParameters, linear } from './linear.ts';
import { timeEmbedding } from './time-embedding.ts';

export interface ConditionOptions {
  /** Sinusoidal features of time; even. */
  readonly timeFeatures: number;
  /** Features of the condition. */
  readonly width: number;
  /** Classes; `null` for none. */
  readonly classes: number | null;
  /** Factor on time before its sinusoidal features. */
  readonly timeScale: number;
  /** Start of the two layers on time. */
  readonly timeStart?: LinearOptions;
  /** Deviation of the label vectors at the start. */
  readonly labelDeviation: number;
}

export type ConditionParameters = {
  readonly time: readonly [LinearParameters, LinearParameters];
  readonly label?: LabelParameters;
};

export interface ConditionInputs {
  /** [batch]. */
  readonly time: Tensor;
  /** int32 [batch], or `null` for the null class. */
  readonly labels: Tensor | null;
}

/**
 * What a network is told about time and label: SiLU(MLP(sinusoidal features of time) + vector of the label), [batch, width].
 * Every block begins with this SiLU, so that it stands here once. Source: [dhariwal:21], [peebles:23].
 */
export function conditionEmbedding(options: ConditionOptions): Layer<ConditionParameters, ConditionInputs> {
  const { timeFeatures, width, classes, timeScale, timeStart = {}, labelDeviation } = options;
  const time = [linear(timeFeatures, width, timeStart), linear(width, width, timeStart)] as const;
  const label = classes === null ? null : labelEmbedding(classes, width, { deviation: labelDeviation });
  return {
    parameters: {
      time: [time[0].parameters, time[1].parameters],
      ...(label === null ? {} : { label: label.parameters }),
    },
    apply(parameters: TensorsOf<ConditionParameters>, inputs) {
      const first = time[0].apply(parameters.time[0], timeEmbedding(inputs.time, timeFeatures, { timeScale }));
      const embedded = time[1].apply(parameters.time[1], silu(first));
      if (label === null || parameters.label === undefined) return silu(embedded);
      return silu(add(embedded, label.apply(parameters.label, inputs.labels)));
    },
  };
}
