import { describe, expect, it } from 'vitest';
import { stream } from '../../src/numerics/stream.ts';
import { logitNormalTime, type TimeSampling, uniformTime } from '../../src/path/time-sampling.ts';
import { kolmogorov, normalDistribution } from '../numerics/statistics-of-samples.ts';

function draw(sampling: TimeSampling, count = 20_000): Float32Array {
  const random = stream(3, 'time');
  return Float32Array.from({ length: count }, () => sampling(random));
}

/** Probability of a greater Kolmogorov statistic: 0.001. */
const critical = 1.95;

const logitNormal = (mean: number, deviation: number) => (t: number) =>
  normalDistribution((Math.log(t / (1 - t)) - mean) / deviation);

describe('training times', () => {
  it('are uniform', () => {
    expect(kolmogorov(draw(uniformTime()), (t) => t)).toBeLessThan(critical);
  });

  it.each([
    [0, 1],
    [0.5, 0.7],
    [-1, 1.3],
  ])('have a normal logit, of mean %d and deviation %d', (mean, deviation) => {
    const times = draw(logitNormalTime({ mean, deviation }));
    expect(kolmogorov(times, logitNormal(mean, deviation))).toBeLessThan(critical);
  });

  it('would be told apart from another distribution by this test', () => {
    expect(kolmogorov(draw(logitNormalTime()), (t) => t)).toBeGreaterThan(critical);
    expect(kolmogorov(draw(logitNormalTime({ mean: 0.05 })), logitNormal(0, 1))).toBeGreaterThan(critical);
  });

  it.each([
    uniformTime(),
    logitNormalTime({ deviation: 10 }),
    logitNormalTime({ mean: 1000 }),
    logitNormalTime({ mean: -1000 }),
  ])('lie inside of (0, 1) as float32, however wide their distribution', (sampling) => {
    expect(draw(sampling, 5000).every((t) => t > 0 && t < 1)).toBe(true);
  });

  it('are a function of their stream', () => {
    expect(draw(logitNormalTime(), 10)).toEqual(draw(logitNormalTime(), 10));
  });
});
