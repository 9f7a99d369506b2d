/** Data in memory for targets of empirical flow matching, and tools that compute on the host. */
import type { EfmData, EfmTools } from '../../src/closed-form/efm-data.ts';
import { hostDotProducts } from '../../src/numerics/dot-products.ts';

/** Data [count, elements] without mirror images. */
export function efmDataIn(values: Float32Array, elements: number, labels: Int32Array | null = null): EfmData {
  const count = values.length / elements;
  return {
    count,
    elements,
    labels: labels ?? new Int32Array(count),
    numbers: (indices) => indices,
    async read(numbers) {
      const rows = new Float32Array(numbers.length * elements);
      for (const [i, number] of numbers.entries()) {
        rows.set(values.subarray(number * elements, (number + 1) * elements), i * elements);
      }
      return rows;
    },
  };
}

/** Products by plain loops. */
export const hostTools: EfmTools = {
  products: hostDotProducts,
  async openMatrix({ values, elements, batch }) {
    const count = values.length / elements;
    return {
      products: (x) => hostDotProducts(x, values, elements),
      async combinations(weights) {
        const sums = new Float32Array(batch * elements);
        for (let row = 0; row < batch; row++) {
          for (let k = 0; k < elements; k++) {
            let sum = 0;
            for (let i = 0; i < count; i++) sum += weights[row * count + i] * values[i * elements + k];
            sums[row * elements + k] = sum;
          }
        }
        return sums;
      },
      release() {},
    };
  },
};
