/** Data and points of the path for benches of the exact field. */
import type { KeptRows } from '../src/numerics/kept-rows.ts';
import { stream } from '../src/numerics/stream.ts';

/** Rows that are made as they are read, so that only the field keeps them: stretches of one sequence of normal numbers, scaled by 0.5 to 1.5. */
export function madeRows(count: number, elements: number): KeptRows {
  const kept = 4096;
  const random = stream(0, 'bench-closed-form');
  const pool = Float32Array.from({ length: kept + elements }, () => random.normal());
  return {
    count,
    elements,
    async read(first, rows) {
      const values = new Float32Array(rows * elements);
      for (let i = 0; i < rows; i++) {
        const row = stream(first + i, 'bench-closed-form');
        const start = Math.floor(row.uniformFloat32() * kept);
        const scale = 0.5 + row.uniformFloat32();
        for (let k = 0; k < elements; k++) values[i * elements + k] = scale * pool[start + k]!;
      }
      return values;
    },
  };
}

/** Points of the path: x_t = (1 - t) noise + t datum. */
export async function pathPoints(rows: KeptRows, time: Float64Array): Promise<Float32Array> {
  const { count, elements } = rows;
  const x = new Float32Array(time.length * elements);
  const random = stream(1, 'bench-closed-form');
  for (const [i, t] of time.entries()) {
    const datum = await rows.read(Math.floor((i * count) / time.length), 1);
    for (let k = 0; k < elements; k++) x[i * elements + k] = (1 - t) * random.normal() + t * datum[k]!;
  }
  return x;
}
