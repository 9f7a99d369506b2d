import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import {
  type DiagonalGaussian,
  gaussianDivergence,
  type KlAutoencoderParameters,
  klAutoencoder,
  klAutoencoders,
  sampleGaussian,
} from '../../src/models/kl-autoencoder.ts';
import { initializeParameters, parameterCount, parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';

/** Runs `f` on a Gaussian of [batch, 2] and noise like it. */
function evaluate(
  f: (gaussian: DiagonalGaussian, noise: Tensor) => Tensor,
  values: Readonly<Record<string, readonly number[]>>,
): Float64Array {
  const type = tensorType([values.mean.length / 2, 2], 'float64');
  const types = { mean: type, logVariance: type, noise: type };
  const graph = trace(({ mean, logVariance, noise }) => ({ result: f({ mean, logVariance }, noise) }), types);
  const inputs = Object.entries({ noise: values.mean, ...values }).map(([name, list]) => [
    name,
    Float64Array.from(list),
  ]);
  return interpret(graph, Object.fromEntries(inputs)).result;
}

/** Integral of p log(p / q) for p of mean m and log-variance v, q standard normal, by the midpoint rule. */
function integratedDivergence(m: number, v: number): number {
  const deviation = Math.exp(v / 2);
  const width = (20 * deviation) / 20_000;
  let sum = 0;
  for (let i = 0; i < 20_000; i++) {
    const z = -10 * deviation + (i + 0.5) * width;
    const logRatio = -((z / deviation) ** 2) / 2 - v / 2 + (m + z) ** 2 / 2;
    sum += (Math.exp(-((z / deviation) ** 2) / 2) / (deviation * Math.sqrt(2 * Math.PI))) * logRatio * width;
  }
  return sum;
}

describe('the divergence', () => {
  test('from the standard normal is zero for itself, and the integral of p log(p / q) for others', () => {
    const result = evaluate(gaussianDivergence, { mean: [0, 0, 0.7, -1.3], logVariance: [0, 0, -0.5, 0.9] });
    expect(result[0]).toBe(0);
    expect(result[1]).toBeCloseTo(integratedDivergence(0.7, -0.5) + integratedDivergence(-1.3, 0.9), 6);
  });
});

describe('a sample', () => {
  test('is the mean plus the deviation times noise', () => {
    const values = { mean: [1, -2], logVariance: [Math.log(4), Math.log(0.25)], noise: [3, -1] };
    expect([...evaluate(sampleGaussian, values)]).toEqual([expect.closeTo(7, 12), expect.closeTo(-2.5, 12)]);
  });

  test('refuses noise of another shape', () => {
    const types = { mean: tensorType([2, 3]), logVariance: tensorType([2, 3]), noise: tensorType([2, 1]) };
    expect(() => trace(({ mean, logVariance, noise }) => sampleGaussian({ mean, logVariance }, noise), types)).toThrow(
      /`noise` to be \[2, 3\]/,
    );
  });
});

describe('the autoencoder', () => {
  test('of Stable Diffusion has its number of parameters and latents', () => {
    const { parameters, latents } = klAutoencoder(klAutoencoders.f8);
    expect(parameterCount(parameters)).toBe(83_653_863);
    expect(latents.shape).toEqual([4, 32, 32]);
  });

  test('limits the log-variance to [-30, 20] and leaves the mean', () => {
    const small = { shape: [1, 2, 2], channels: 32, multipliers: [1], blocks: 0, attentionResolutions: [] } as const;
    const { parameters, encode } = klAutoencoder({ ...small, latentChannels: 3 });
    const graph = trace(
      (inputs) => {
        const { p, x } = inputs as unknown as { p: TensorsOf<KlAutoencoderParameters>; x: Tensor };
        return { ...encode(p, x) };
      },
      { p: parameterTypes(parameters), x: tensorType([1, 1, 2, 2]) },
    );
    const values = Object.entries(initializeParameters(parameters, 1)).map(([path, array]) => [`p.${path}`, array]);
    const { mean, logVariance } = interpret(graph, {
      ...Object.fromEntries(values),
      x: Float32Array.of(1, 2, 3, 4),
      'p.toLatents.weight': new Float32Array(36),
      'p.toLatents.bias': Float32Array.of(-90, 0, 90, -90, 0, 90),
    });
    const fourTimes = (list: number[]) => list.flatMap((value) => [value, value, value, value]);
    expect([...mean]).toEqual(fourTimes([-90, 0, 90]));
    expect([...logVariance]).toEqual(fourTimes([-30, 0, 20]));
  });
});
