/** Answers of the exact field of a large data set, beside PyTorch. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { engineClosedForm } from '../src/closed-form/engine-closed-form.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { compare } from './compare.ts';
import { madeRows, pathPoints } from './field-points.ts';
import { contender } from './interleave.ts';

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

const program = fileURLToPath(new URL('field-memory.ts', import.meta.url));

/** Highest resident memory above the data, measured in a process of its own, which has nothing to use again. */
async function peakAboveData(sizes: readonly number[], threads: number | null): Promise<number> {
  const args = [...process.execArgv, program, ...[...sizes, threads ?? 1].map(String)];
  return Number((await promisify(execFile)(process.execPath, args)).stdout);
}

async function measure(context: BenchContext, name: string, options: FieldCase): Promise<CaseResult> {
  const { count, elements, batch, timeOf, products, rounds } = options;
  const rows = madeRows(count, elements);
  const time = Float64Array.from({ length: batch }, (_, i) => timeOf(i, batch));
  const x = await pathPoints(rows, time);
  // compare() needs a runtime for its yardstick; the field owns another one.
  const runtime = await context.openRuntime();
  const own = await context.openRuntime();
  context.progress(`${name}: ${count} data`);
  const field = await engineClosedForm(own, rows);
  const { largestWeight } = await field.evaluate(x, time);
  const above = await peakAboveData([count, elements, ...time], context.runtime.threads);
  return compare(context, {
    name,
    runtime,
    ours: contender(() => field.evaluate(x, time)),
    flops: products * 2 * batch * count * elements,
    workload: { what: 'closed-form', count, elements, time: [...time] },
    parameters: 0,
    rounds,
    details: {
      dataMiB: (4 * count * elements) / 2 ** 20,
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
    'two answers in a process of its own, less the data.',
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
