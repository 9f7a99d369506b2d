import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { scatterAdd } from '../../src/engine/ops.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { uniforms } from './examples.ts';
import { executeGraph } from './execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 4 });
afterAll(() => runtime.release());

describe('scatterAdd with four threads', () => {
  // Both lowerings: one-hot product and sequential scatter.
  test.each([64, 5000])('loses no update among 20,000 to %i rows', async (size) => {
    const count = 20_000;
    const width = 8;
    const next = uniforms(size);
    const indices = Int32Array.from({ length: count }, () => Math.floor(next() * size));
    // Whole numbers, whose sums float32 holds exactly in any order.
    const updates = Float32Array.from({ length: count * width }, () => Math.floor(next() * 16));
    const wanted = new Float32Array(size * width);
    for (let i = 0; i < updates.length; i++) wanted[indices[Math.floor(i / width)] * width + (i % width)] += updates[i];
    const types = { updates: tensorType([count, width]), indices: tensorType([count], 'int32') };
    const graph = trace((inputs) => ({ sums: scatterAdd(inputs.updates, inputs.indices, { size }) }), types);
    for (let run = 0; run < 5; run++) {
      const { sums } = await executeGraph(runtime, graph, { updates, indices });
      expect(sums).toEqual(wanted);
    }
  });
});
