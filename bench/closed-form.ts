/** Answers of the exact field of a large data set, beside PyTorch. */
import { engineClosedForm } from '../src/closed-form/engine-closed-form.ts';
import type { KeptRows } from '../src/numerics/kept-rows.ts';
import { stream } from '../src/numerics/stream.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { compare } from './compare.ts';
import { contender } from './interleave.ts';
import { watchResidentMemory } from './resident-memory.ts';

interface FieldCase {
  readonly count: number;
  readonly elements: number;
  readonly batch: number;
  /** Time of a point. */
  readonly timeOf: (point: number, batch: number) => number;
  /** Matrix products of the whole data set that an answer needs: scores, and sums where many data have weight. */
  readonly products: 1 | 2;
  readonly rounds: number;
  readonly onlyByName?: boolean;
}

/** Rows that are made as they are read, so that only the field keeps them: stretches of one sequence of normal numbers, scaled by 0.5 to 1.5. */
function madeRows(count: number, elements: number): KeptRows {
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
async function pathPoints(rows: KeptRows, time: Float64Array): Promise<Float32Array> {
  const { count, elements } = rows;
  const x = new Float32Array(time.length * elements);
  const random = stream(1, 'bench-closed-form');
  for (const [i, t] of time.entries()) {
    const datum = await rows.read(Math.floor((i * count) / time.length), 1);
    for (let k = 0; k < elements; k++) x[i * elements + k] = (1 - t) * random.normal() + t * datum[k]!;
  }
  return x;
}

async function measure(context: BenchContext, name: string, options: FieldCase): Promise<CaseResult> {
  const { count, elements, batch, timeOf, products, rounds } = options;
  const rows = madeRows(count, elements);
  const time = Float64Array.from({ length: batch }, (_, i) => timeOf(i, batch));
  const x = await pathPoints(rows, time);
  // compare() needs a runtime for its yardstick; the field owns another one.
  const runtime = await context.openRuntime();
  const own = await context.openRuntime();
  const highest = watchResidentMemory();
  context.progress(`${name}: ${count} data`);
  const field = await engineClosedForm(own, rows);
  const { largestWeight } = await field.evaluate(x, time);
  await field.evaluate(x, time);
  const dataBytes = 4 * count * elements;
  const above = highest() - dataBytes;
  return compare(context, {
    name,
    runtime,
    ours: contender(() => field.evaluate(x, time)),
    flops: products * 2 * batch * count * elements,
    workload: { what: 'closed-form', count, elements, time: [...time] },
    parameters: 0,
    rounds,
    details: {
      dataMiB: dataBytes / 2 ** 20,
      peakAboveDataMiB: Number.isNaN(above) ? 'not known here' : above / 2 ** 20,
      medianLargestWeight: largestWeight.toSorted()[Math.floor(batch / 2)]!.toPrecision(2),
    },
  });
}

function fieldCase(name: string, options: FieldCase): BenchCase {
  return { name, onlyByName: options.onlyByName ?? false, measure: (context) => measure(context, name, options) };
}

const large = { count: 50_000, elements: 3072, batch: 128, rounds: 7 } as const;

/** The exact field of 50,000 data of 3,072 numbers. */
export const closedForm: Bench = {
  name: 'closed-form',
  summary: 'the exact field of 50,000 data of 3,072 numbers for 128 points beside PyTorch',
  notes:
    'early: t = 0.01, many data have weight: products for scores and for sums count as 2 x 2 batch n d operations. late: t = 0.9, few data ' +
    'have weight, no second product is needed and none is counted. uniform: t = k / 128, as many of each as come; two products are counted. ' +
    'PyTorch takes both products in float32 without blocks. peakAboveDataMiB: highest resident memory from before the data are read to after ' +
    'two answers, less the data.',
  cases: [
    fieldCase('early', { ...large, timeOf: () => 0.01, products: 2 }),
    fieldCase('late', { ...large, timeOf: () => 0.9, products: 1 }),
    fieldCase('uniform', { ...large, timeOf: (i, batch) => i / batch, products: 2 }),
    fieldCase('tiny', {
      ...{ count: 300, elements: 8, batch: 16, rounds: 1, onlyByName: true },
      timeOf: (i, batch) => i / batch,
      products: 2,
    }),
  ],
};
