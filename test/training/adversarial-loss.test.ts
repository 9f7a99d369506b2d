import { describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { matmul, multiply, reduceMean, subtract, tanh } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import {
  type AdaptiveWeightOptions,
  adaptiveWeight,
  hingeDiscriminatorLoss,
  hingeGeneratorLoss,
} from '../../src/training/adversarial-loss.ts';
import { centralDifference } from '../engine/execute-graph.ts';
import { uniforms } from '../models/model-graphs.ts';

describe('hinge losses', () => {
  const type = tensorType([2, 1, 1, 2], 'float64');
  const graph = trace(
    ({ real, made }) => ({ discriminator: hingeDiscriminatorLoss(real, made), generator: hingeGeneratorLoss(made) }),
    { real: type, made: type },
  );

  test('are those of the logits, sample by sample', () => {
    const { discriminator, generator } = interpret(graph, { real: [0.5, -1, 2, 1], made: [-3, 0.25, -1, -2] });
    // First sample: real (0.5 + 2) / 2, made (0 + 1.25) / 2; of the second all logits keep the margin.
    expect([...discriminator]).toEqual([(2.5 / 2 + 1.25 / 2) / 2, 0]);
    expect([...generator]).toEqual([2.75 / 2, 1.5]);
  });
});

describe('the adaptive weight', () => {
  const double = (...shape: number[]) => tensorType(shape, 'float64');
  const types = { layer: double(3, 4), x: double(4, 2), wanted: double(3, 2), judge: double(3, 2) };
  const inputs = { layer: uniforms(1, 12), x: uniforms(2, 8), wanted: uniforms(3, 6), judge: uniforms(4, 6) };

  /** A last layer under tanh, a squared error and a linear adversary. */
  function graphOf(
    f: (losses: { reconstruction: Tensor; adversarial: Tensor; layer: Tensor }) => Record<string, Tensor>,
  ) {
    return trace(({ layer, x, wanted, judge }) => {
      const y = tanh(matmul(layer, x));
      const error = subtract(y, wanted);
      return f({
        reconstruction: reduceMean(multiply(error, error)),
        adversarial: reduceMean(multiply(y, judge)),
        layer,
      });
    }, types);
  }

  const weightOf = (options: Omit<AdaptiveWeightOptions, 'lastLayer'> = {}) =>
    interpret(
      graphOf(({ reconstruction, adversarial, layer }) => ({
        weight: adaptiveWeight(reconstruction, adversarial, { lastLayer: layer, ...options }),
      })),
      inputs,
    ).weight[0];

  /** Norm of a loss's gradient by the last layer, from central differences along each of its numbers. */
  function numericNorm(loss: 'reconstruction' | 'adversarial'): number {
    const graph = graphOf((losses) => ({ loss: losses[loss] }));
    const parts = inputs.layer.map((_, place) => {
      const directions = { layer: Float32Array.from({ length: 12 }, (_, i) => Number(i === place)) };
      return centralDifference(graph, { inputs, directions })[0];
    });
    return Math.hypot(...parts);
  }

  const [above, below] = [numericNorm('reconstruction'), numericNorm('adversarial')];

  test('is the ratio of the norms of gradients by the last layer', () => {
    expect(weightOf()).toBeCloseTo(above / (below + 1e-6), 5);
    expect(weightOf({ delta: 1 })).toBeCloseTo(above / (below + 1), 6);
  });

  test('is limited where a largest weight is given', () => {
    expect(weightOf({ largest: 0.1 })).toBeCloseTo(0.1, 12);
    expect(weightOf({ largest: 1e4 })).toBe(weightOf());
    expect(weightOf()).toBeGreaterThan(0.1);
  });

  test('is a constant to further gradients', () => {
    const graph = graphOf(({ reconstruction, adversarial, layer }) => {
      const weight = adaptiveWeight(reconstruction, adversarial, { lastLayer: layer });
      return { weighted: gradient(multiply(weight, adversarial), layer), plain: gradient(adversarial, layer), weight };
    });
    const { weighted, plain, weight } = interpret(graph, inputs);
    for (const [i, value] of weighted.entries()) expect(value).toBeCloseTo(weight[0] * plain[i], 12);
  });
});
