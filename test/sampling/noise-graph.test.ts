import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { noiseFromSeeds } from '../../src/sampling/noise-graph.ts';
import { executeGraph } from '../engine/execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

async function noise(seeds: readonly number[], elements: number) {
  const graph = trace((input) => noiseFromSeeds(input, elements), tensorType([seeds.length], 'int64'));
  return (await executeGraph(runtime, graph, { input: BigInt64Array.from(seeds, BigInt) })).output as Float32Array;
}

const seeds = [0, 1, 7, 2 ** 31 - 1, 2 ** 31, 123_456_789, 2 ** 32 - 1];

describe('noiseFromSeeds', () => {
  it.each([1, 2, 4, 7, 784, 4_001])('has the bits of normalsFromSeeds, %i numbers a seed', async (elements) => {
    const wanted = normalsFromSeeds(Uint32Array.from(seeds), elements);
    const actual = await noise(seeds, elements);
    expect(new Uint32Array(actual.buffer)).toEqual(new Uint32Array(wanted.buffer));
  });

  it('reads seeds modulo 2^32', async () => {
    expect(await noise([5 - 2 ** 32, 5 + 2 ** 33], 8)).toEqual(normalsFromSeeds(Uint32Array.of(5, 5), 8));
  });
});
