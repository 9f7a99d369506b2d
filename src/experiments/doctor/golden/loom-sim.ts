import { z } from 'zod';
import { optimalPairing, type PairingTools, takeRows } from '../../../coupling/optimal-pairing.ts';
import { solveAssignment } from '../../../numerics/assignment.ts';
import { hostDotProducts } from '../../../numerics/dot-products.ts';
import { mulberry32, mulberry32Array } from '../../../numerics/mulberry32.ts';
import type { Replayer } from './section.ts';

const count = z.number().int().positive();

const sectionSchema = z.object({
  seed_x: z.number(),
  seed_z: z.number(),
  seed_perm: z.number(),
  n: count,
  d: count,
  batch: count,
  cost: z.literal('squared'),
  identity_total: z.number(),
  history: z.array(z.tuple([count, z.number()])).min(1),
  global_optimum: z.number(),
});

type Section = z.output<typeof sectionSchema>;

const tools: PairingTools = {
  products: hostDotProducts,
  solve: async ({ values, size }) => {
    const rowToColumn = Int32Array.from({ length: size }, (_, row) => row);
    return solveAssignment({ values, rows: size, columns: size }, { start: { rowToColumn } }).rowToColumn;
  },
};

/** The first `batch` of a Fisher-Yates order of n, for i = n - 1, ..., 1 with below(k) = floor(k u). */
function randomBatch({ n, batch }: Section, next: () => number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, batch);
}

/** Squared distances of all data to all noises, float64 [n, n]. */
function distances(data: Float64Array, noise: Float64Array, { n, d }: Section): Float64Array {
  return Float64Array.from({ length: n * n }, (_, pair) => {
    const [row, column] = [Math.floor(pair / n), pair % n];
    let sum = 0;
    for (let i = 0; i < d; i++) sum += (data[row * d + i]! - noise[column * d + i]!) ** 2;
    return sum;
  });
}

/** LOOM on points of the plane: the total cost after some batches, as exchanges of one batch after the other leave it. */
export const replayLoomSim: Replayer = async (section, tally) => {
  const parsed = sectionSchema.parse(section);
  const { n, d, history, identity_total, global_optimum } = parsed;
  const [data, noise] = [mulberry32Array(parsed.seed_x, n * d), mulberry32Array(parsed.seed_z, n * d)];
  const costs = distances(data, noise, parsed);
  const sourceOf = Uint32Array.from({ length: n }, (_, row) => row);
  const total = () => sourceOf.reduce((sum, column, row) => sum + costs[row * n + column]!, 0);
  const tolerance = 1e-12;
  tally.compare('total before', { got: total(), expected: identity_total, tolerance });
  const next = mulberry32(parsed.seed_perm);
  const [x, z] = [Float32Array.from(data), Float32Array.from(noise)];
  let batches = 0;
  for (const [wanted, expected] of history) {
    for (; batches < wanted; batches++) {
      const rows = randomBatch(parsed, next);
      const noises = rows.map((row) => sourceOf[row]!);
      const batch = { target: takeRows(x, rows, d), source: takeRows(z, noises, d), elements: d };
      const options = { kind: 'squared', groups: null, nearIdentity: true } as const;
      const exchanged = await optimalPairing(batch, options, tools);
      for (const [i, row] of rows.entries()) sourceOf[row] = noises[exchanged.sourceOf[i]!]!;
    }
    tally.compare(`total after ${wanted} batches`, { got: total(), expected, tolerance });
  }
  const optimum = solveAssignment({ values: costs, rows: n, columns: n }).total;
  tally.compare('global optimum', { got: optimum, expected: global_optimum, tolerance });
};
