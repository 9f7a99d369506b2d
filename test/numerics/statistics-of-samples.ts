/** Statistics that the tests of random numbers compare with their distributions. */

/** Distribution function of the standard normal: series near zero, continued fraction in the tails; float64, about 1e-15. */
export function normalDistribution(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (a * a) / (2 * n + 1);
      sum += term;
    }
    const half = (sum * Math.exp((-a * a) / 2)) / Math.sqrt(2 * Math.PI);
    return x < 0 ? 0.5 - half : 0.5 + half;
  }
  let fraction = a;
  for (let n = 200; n >= 1; n--) fraction = a + n / fraction;
  const tail = Math.exp((-a * a) / 2) / (fraction * Math.sqrt(2 * Math.PI));
  return x < 0 ? tail : 1 - tail;
}

/** Kolmogorov's statistic sqrt(n) sup |F_n - F|; above 1.95 with probability 0.001 if the sample is of F. */
export function kolmogorov(sample: Float64Array | Float32Array, distribution: (x: number) => number): number {
  const sorted = Float64Array.from(sample).sort();
  const n = sorted.length;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const p = distribution(sorted[i]!);
    largest = Math.max(largest, p - i / n, (i + 1) / n - p);
  }
  return largest * Math.sqrt(n);
}

/** Mean of the k-th powers. */
export function moment(sample: Float64Array | Float32Array, power: number): number {
  let sum = 0;
  for (const x of sample) sum += x ** power;
  return sum / sample.length;
}

/** Mean product of numbers that lie `lag` apart; times sqrt(n) it is standard normal for independent standard normals. */
export function lagProduct(sample: Float64Array | Float32Array, lag: number): number {
  let sum = 0;
  for (let i = lag; i < sample.length; i++) sum += sample[i]! * sample[i - lag]!;
  return sum / (sample.length - lag);
}
