import { describe, expect, it } from 'vitest';
import { bankDraws } from '../../src/closed-form/efm-bank.ts';
import { type EfmPair, efmCorrection } from '../../src/closed-form/efm-target.ts';
import { hostClosedForm } from '../../src/closed-form/host-closed-form.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { type RandomStream, stream } from '../../src/numerics/stream.ts';
import { dataRows } from './data-rows.ts';

const [count, elements] = [80, 4];
const data = normalsFromSeeds(Uint32Array.of(3), count * elements);
const values = Float64Array.from(data);
const field = hostClosedForm(dataRows(data, elements));
const members = { count, labels: new Int32Array(count) };
const datum = (i: number) => values.slice(i * elements, (i + 1) * elements);
const others = (own: number) => Uint32Array.from({ length: count }, (_, i) => i).filter((i) => i !== own);

function pathPoint({ source, target, time }: EfmPair): Float64Array {
  return Float64Array.from(target, (x1, k) => (1 - time) * source[k]! + time * x1);
}

/** The target of a pair: x1 - x0 and its correction. */
function targetOf(pair: EfmPair, rows: Uint32Array): Float64Array {
  const { correction } = efmCorrection(pair, { values, rows });
  return correction.map((sum, k) => pair.target[k]! - pair.source[k]! + sum);
}

/** The sources x0 from which x is reached at a time, for each x1, and the probability of x1 given x. */
async function posteriorAt(x: Float64Array, time: number) {
  const pairs = Array.from({ length: count }, (_, i) => {
    const target = datum(i);
    return { source: x.map((value, k) => (value - time * target[k]!) / (1 - time)), target, time };
  });
  const logits = pairs.map(({ source }) => -0.5 * source.reduce((sum, value) => sum + value * value, 0));
  const largest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  const { velocity } = await field.evaluate(x, Float64Array.of(time));
  return { pairs, probabilities: weights.map((weight) => weight / total), exact: velocity };
}

function drawIndex(probabilities: readonly number[], random: RandomStream): number {
  let left = random.uniform();
  for (const [i, probability] of probabilities.entries()) {
    left -= probability;
    if (left < 0) return i;
  }
  return probabilities.length - 1;
}

/** Mean, standard error and variance of each coordinate over draws. */
function moments(draws: number, draw: () => Float64Array) {
  const [sum, squares] = [new Float64Array(elements), new Float64Array(elements)];
  for (let i = 0; i < draws; i++) {
    for (const [k, value] of draw().entries()) {
      sum[k]! += value;
      squares[k]! += value * value;
    }
  }
  const mean = sum.map((value) => value / draws);
  const variance = squares.map((value, k) => value / draws - mean[k]! ** 2);
  return { mean, variance, error: variance.map((value) => Math.sqrt(value / draws)) };
}

describe('the target of empirical flow matching', () => {
  it('is that of flow matching, bit for bit, where the bank is x1 alone', () => {
    const random = stream(1, 'pairs');
    for (let i = 0; i < 20; i++) {
      const source = Float64Array.from({ length: elements }, random.normal);
      const pair = { source, target: datum(i), time: random.uniform() };
      expect(targetOf(pair, new Uint32Array())).toEqual(pair.target.map((x1, k) => x1 - source[k]!));
    }
  });

  it('is the exact field where the bank is all data, at early and late times', async () => {
    const random = stream(2, 'pairs');
    for (const time of [0, 0.1, 0.5, 0.8, 0.95, 0.999, 1 - 2 ** -24]) {
      for (const own of [0, 17, 79]) {
        const source = Float64Array.from({ length: elements }, random.normal);
        const pair = { source, target: datum(own), time };
        const { velocity, largestWeight, nearest } = await field.evaluate(pathPoint(pair), Float64Array.of(time));
        const { weights } = efmCorrection(pair, { values, rows: others(own) });
        for (const [k, value] of targetOf(pair, others(own)).entries()) {
          // The reference divides x_i - x, rounded, by 1 - t.
          const tolerance = 1e-10 + 1e-15 / (1 - time);
          expect(Math.abs(value - velocity[k]!)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
        }
        if (nearest[0] === own) expect(weights.target).toBeCloseTo(largestWeight[0]!, 10);
      }
    }
  });

  it('is that of flow matching at time 1, and x1 shares its weight with its copies alone', () => {
    const copies = Float64Array.of(...datum(0), ...datum(0), ...datum(1));
    const pair = { source: datum(5), target: datum(0), time: 1 };
    const { correction, weights } = efmCorrection(pair, { values: copies, rows: Uint32Array.of(1, 2) });
    expect([...correction]).toEqual([0, 0, 0, 0]);
    expect([weights.target, ...weights.others, weights.effective]).toEqual([0.5, 0.5, 0, 2]);
  });

  it('tells the weights of the softmax and the number that they are worth', () => {
    const pair = { source: datum(5), target: datum(0), time: 0.3 };
    const rows = Uint32Array.of(1, 2, 3);
    const x = pathPoint(pair);
    const plain = [0, ...rows].map((i) => {
      const squares = datum(i).reduce((sum, value, k) => sum + (x[k]! - 0.3 * value) ** 2, 0);
      return Math.exp(-squares / (2 * 0.7 ** 2));
    });
    const total = plain.reduce((a, b) => a + b, 0);
    const { weights } = efmCorrection(pair, { values, rows });
    for (const [j, weight] of [weights.target, ...weights.others].entries()) {
      expect(weight).toBeCloseTo(plain[j]! / total, 13);
    }
    expect(weights.effective).toBeCloseTo(total ** 2 / plain.reduce((sum, weight) => sum + weight ** 2, 0), 11);
  });

  it('has the exact field as its mean over x1 given xt and over banks, but not where x1 is left out of the bank', async () => {
    const x = Float64Array.of(0.2, -0.1, 0.3, 0.4);
    for (const [candidates, kind] of [
      [4, 'per-sample'],
      [16, 'per-sample'],
      [3, 'shared'],
    ] as const) {
      const { pairs, probabilities, exact } = await posteriorAt(x, 0.4);
      const draw = bankDraws(members, { candidates, kind });
      const random = stream(7, 'draws', candidates);
      const bankFor = (own: number) => {
        // The rest of the batch, for a shared bank: other data, evenly.
        const companions =
          kind === 'shared' ? [...draw({ numbers: Uint32Array.of(own), labels: [null] }, random)[0]!.slice(0, 2)] : [];
        const numbers = Uint32Array.of(own, ...companions);
        return draw({ numbers, labels: [...numbers].map(() => null) }, random)[0]!;
      };
      const whole = moments(100_000, () => {
        const own = drawIndex(probabilities, random);
        return targetOf(pairs[own]!, bankFor(own));
      });
      for (const [k, mean] of whole.mean.entries())
        expect(Math.abs(mean - exact[k]!)).toBeLessThan(4 * whole.error[k]!);
      const without = moments(50_000, () => {
        const own = drawIndex(probabilities, random);
        const bank = bankFor(own);
        const first = bank[0]!;
        return targetOf(pairs[first]!, bank.slice(1));
      });
      const deviations = without.mean.map((mean, k) => Math.abs(mean - exact[k]!) / without.error[k]!);
      expect(Math.max(...deviations)).toBeGreaterThan(8);
    }
  });

  it('varies less than that of flow matching, and the less the larger the bank', async () => {
    const { pairs, probabilities } = await posteriorAt(Float64Array.of(0.2, -0.1, 0.3, 0.4), 0.4);
    const variances = [1, 4, 16, 64, count].map((candidates) => {
      const draw = bankDraws(members, { candidates, kind: 'per-sample' });
      const random = stream(8, 'draws', candidates);
      const { variance } = moments(10_000, () => {
        const own = drawIndex(probabilities, random);
        return targetOf(pairs[own]!, draw({ numbers: Uint32Array.of(own), labels: [null] }, random)[0]!);
      });
      return variance.reduce((a, b) => a + b, 0);
    });
    for (let i = 1; i < variances.length; i++) expect(variances[i]).toBeLessThan(0.9 * variances[i - 1]!);
    expect(variances.at(-1)).toBeLessThan(1e-12);
  });
});
