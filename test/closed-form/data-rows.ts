import type { KeptRows } from '../../src/numerics/kept-rows.ts';

/** Data in memory, [count, elements]. */
export function dataRows(data: Float32Array, elements: number): KeptRows {
  return {
    count: data.length / elements,
    elements,
    read: (first, rows) => Promise.resolve(data.slice(first * elements, (first + rows) * elements)),
  };
}
