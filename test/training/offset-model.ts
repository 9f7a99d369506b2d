/** A model whose gradients can be written down, and a trainer of it. */

import { add, broadcastTo, reduceSum, reshape } from '../../src/engine/ops.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import type { Model } from '../../src/models/model.ts';
import { initializeParameters, normal, parameter, parameterTypes } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';
import { linearPath } from '../../src/path/linear.ts';
import type { PreparedBatch } from '../../src/training/batches.ts';
import type { Optimizer } from '../../src/training/optimizer.ts';
import { constantSchedule } from '../../src/training/schedule.ts';
import type { StepParts } from '../../src/training/step.ts';
import type { TrainerOptions } from '../../src/training/trainer.ts';
import { plainPreparation } from './plain-preparation.ts';

/** Parameters of the model by path, float64. */
export type Values = Readonly<Record<string, Float64Array>>;

/**
 * A network that ignores its inputs and predicts wide + sum(square) + scalar for every row: `wide` has [width] elements and is
 * updated alone if it is large, `square` and `scalar` are small.
 */
export function offsetModel(width: number): Model {
  const parameters = {
    wide: parameter([width], normal(1)),
    square: parameter([2, 2], normal(0.1)),
    scalar: parameter([], normal(0.1)),
  };
  return {
    name: 'offsets',
    parameters,
    predicts: 'velocity',
    input: { shape: [width] },
    classes: null,
    apply(tensors, { x }) {
      const { wide, square, scalar } = tensors as unknown as Readonly<Record<keyof typeof parameters, Tensor>>;
      const row = add(wide, reshape(add(reduceSum(square), scalar), [1]));
      return broadcastTo(reshape(row, [1, width]), x.shape);
    },
  };
}

/** Gradient of the mean squared error between the model's prediction and velocities [batch, width]. */
export function offsetGradient({ wide, square, scalar }: Values, velocity: ArrayLike<number>): Values {
  const width = wide.length;
  const batch = velocity.length / width;
  const shift = square.reduce((a, b) => a + b) + scalar[0];
  const gradient = new Float64Array(width);
  for (let i = 0; i < velocity.length; i++) {
    gradient[i % width] += (2 * (wide[i % width] + shift - velocity[i])) / (batch * width);
  }
  const total = gradient.reduce((a, b) => a + b);
  return { wide: gradient, square: new Float64Array(4).fill(total), scalar: Float64Array.of(total) };
}

export type TrainerChoice = Partial<Omit<TrainerOptions, 'parts' | 'preparation'>> &
  Partial<Pick<StepParts, 'batch' | 'clip' | 'accumulate'>> & {
    readonly width?: number;
    readonly optimizer: Optimizer;
  };

/** Options of a trainer of the offset model. */
export function offsetTrainer(runtime: Runtime, choice: TrainerChoice): TrainerOptions {
  const { width = 6, batch = 2, clip = null, accumulate = 1, optimizer, ema = null, ...rest } = choice;
  const model = offsetModel(width);
  return {
    runtime,
    parts: {
      model,
      parameters: parameterTypes(model.parameters),
      path: linearPath(),
      optimizer,
      batch,
      clip,
      ema: ema !== null,
      accumulate,
    },
    preparation: plainPreparation(5),
    learningRate: 0.01,
    schedule: constantSchedule({ warmupImages: 0 }),
    ema,
    initial: initializeParameters(model.parameters, 5),
    ...rest,
  };
}

/** A batch of noise and data, float32, and its velocities. */
export function randomBatch(batch: number, width: number, index: number) {
  const random = stream(11, 'batch', index);
  const draw = () => Float32Array.from({ length: batch * width }, () => random.normal());
  const inputs = { source: draw(), target: draw(), time: new Float32Array(batch).fill(0.5) };
  const prepared: PreparedBatch = { inputs, commit() {} };
  return { prepared, velocity: Float64Array.from(inputs.target, (value, i) => value - inputs.source[i]) };
}
