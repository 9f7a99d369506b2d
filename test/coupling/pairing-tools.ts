/** What couplings compute with in tests, and small problems. */
import type { CouplingBatch } from '../../src/coupling/coupling.ts';
import type { LoomOptions } from '../../src/coupling/loom.ts';
import type { PairingTools } from '../../src/coupling/optimal-pairing.ts';
import type { CouplingData } from '../../src/coupling/whole-cost.ts';
import { solveAssignment } from '../../src/numerics/assignment.ts';
import { hostDotProducts } from '../../src/numerics/dot-products.ts';
import { stream } from '../../src/numerics/stream.ts';

/** The method of the paper with one cache. */
export const plainLoom: LoomOptions = {
  caches: 1,
  cost: 'squared',
  perClass: false,
  reassign: true,
  keep: true,
  trainAfter: 0,
  refresh: null,
  interpolate: 1,
};

/** Products on the host, assignments on this thread. */
export const tools: PairingTools = {
  products: hostDotProducts,
  solve: async ({ values, size, nearIdentity }) => {
    const identity = Int32Array.from({ length: size }, (_, row) => row);
    const start = nearIdentity ? { rowToColumn: identity } : null;
    return solveAssignment({ values, rows: size, columns: size }, { start }).rowToColumn;
  },
};

/** Data of a set that lies in memory. Mirroring negates a row. */
export function dataOf(rows: Float32Array, elements: number, labels: Int32Array | null = null, mirrored = false) {
  const count = rows.length / elements;
  const data: CouplingData = {
    count,
    elements,
    labels: labels ?? new Int32Array(count),
    mirrored,
    async read(indices, flipped) {
      const read = new Float32Array(indices.length * elements);
      for (const [i, index] of indices.entries()) {
        const sign = flipped[i] === 1 ? -1 : 1;
        for (let j = 0; j < elements; j++) read[i * elements + j] = sign * rows[index * elements + j];
      }
      return read;
    },
  };
  return data;
}

/** Normal data times `spread`, [count, elements], with labels that take turns. */
export function normalData(
  count: number,
  elements: number,
  { spread = 1, classes = 3, seed = 3, mirrored = false } = {},
) {
  const random = stream(seed, 'data');
  const rows = Float32Array.from({ length: count * elements }, () => spread * random.normal());
  return dataOf(
    rows,
    elements,
    Int32Array.from({ length: count }, (_, i) => i % classes),
    mirrored,
  );
}

/** A batch of some data. */
export async function batchOf(data: CouplingData, indices: Uint32Array, flipped = new Uint8Array(indices.length)) {
  const batch: CouplingBatch = {
    target: await data.read(indices, flipped),
    labels: Int32Array.from(indices, (index) => data.labels[index]),
    indices,
    flipped,
  };
  return batch;
}

/** Batches of random orders of the data, epoch after epoch; a batch may run across their end. */
export function batchesOf(data: CouplingData, batch: number, seed = 1): () => Promise<CouplingBatch> {
  let order: number[] = [];
  let epoch = 0;
  return () => {
    const taken: number[] = [];
    while (taken.length < batch) {
      if (order.length === 0) {
        const random = stream(seed, 'order', epoch++);
        order = Array.from({ length: data.count }, (_, i) => i);
        for (let i = data.count - 1; i > 0; i--) {
          const j = random.below(i + 1);
          [order[i], order[j]] = [order[j], order[i]];
        }
      }
      taken.push(order.pop()!);
    }
    const random = stream(seed, 'flip', epoch);
    const flipped = Uint8Array.from(taken, () => (data.mirrored ? random.below(2) : 0));
    return batchOf(data, Uint32Array.from(taken), flipped);
  };
}

/** All orders of 0, ..., n - 1. */
export function permutationsOf(n: number): number[][] {
  if (n === 0) return [[]];
  return permutationsOf(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, place) => [...rest.slice(0, place), n - 1, ...rest.slice(place)]),
  );
}
