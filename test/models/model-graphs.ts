/** Graphs of models, and inputs for them. */
import type { HostArray } from '../../src/engine/dtype.ts';
import { gradient } from '../../src/engine/gradient.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { multiply, reduceSum } from '../../src/engine/ops.ts';
import { elementCount } from '../../src/engine/shape.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import type { ApplyOptions, Model } from '../../src/models/model.ts';
import { flattenParameters, parameterTypes } from '../../src/models/parameters.ts';
import { mulberry32 } from '../../src/numerics/mulberry32.ts';

export interface GraphOptions {
  readonly batch?: number;
  /** Whether labels are an input. Default: whether the model has classes. */
  readonly labelled?: boolean;
  readonly apply?: ApplyOptions;
}

/** Types of a model's inputs: parameters under `p`, then x, time and labels. */
function inputTypes(model: Model, { batch = 3, labelled = model.classes !== null }: GraphOptions) {
  return {
    p: parameterTypes(model.parameters),
    x: tensorType([batch, ...model.input.shape]),
    time: tensorType([batch]),
    ...(labelled ? { labels: tensorType([batch], 'int32') } : {}),
  };
}

type TracedInputs = { p: TensorTree; x: Tensor; time: Tensor; labels?: Tensor };

/** Graph of the prediction. */
export function predictionGraph(model: Model, options: GraphOptions = {}): Graph {
  return trace(
    (inputs) => {
      const { p, x, time, labels = null } = inputs as unknown as TracedInputs;
      return { y: model.apply(p, { x, time, labels }) };
    },
    inputTypes(model, options),
  );
}

/** Graph of the prediction and of the gradient of <prediction, weights> with respect to all parameters. */
export function gradientGraph(model: Model, options: GraphOptions = {}): Graph {
  const types = inputTypes(model, options);
  return trace(
    (inputs) => {
      const { p, x, time, labels = null, w } = inputs as unknown as TracedInputs & { w: Tensor };
      const y = model.apply(p, { x, time, labels }, options.apply);
      return { y, g: gradient(reduceSum(multiply(y, w)), p, { recompute: options.apply?.rematerialise === 'cheap' }) };
    },
    { ...types, w: types.x },
  );
}

/** Numbers uniform in [-scale, scale). */
export function uniforms(seed: number, count: number, scale = 1): Float32Array {
  const next = mulberry32(seed);
  return Float32Array.from({ length: count }, () => scale * (2 * next() - 1));
}

/** Random values for every parameter, so that nothing is zero. */
export function randomParameters(model: Model, scale = 0.2): Record<string, Float32Array> {
  return Object.fromEntries(
    flattenParameters(model.parameters).map(([path, { shape }], i) => [
      `p.${path}`,
      uniforms(100 + i, elementCount(shape), scale),
    ]),
  );
}

/** x, time, labels and output weights for a graph. */
export function randomInputs(model: Model, batch = 3): Record<string, HostArray> {
  const count = batch * elementCount(model.input.shape);
  return {
    x: uniforms(1, count),
    w: uniforms(2, count),
    time: Float32Array.from({ length: batch }, (_, i) => (i + 0.5) / batch),
    labels: Int32Array.from({ length: batch }, (_, i) => i % ((model.classes ?? 0) + 1)),
  };
}
