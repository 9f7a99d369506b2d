import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { physicalCores } from '../../../src/engine/native/physical-cores.ts';

it('are at most the threads that may run at once, and what a runtime has by default', async () => {
  const cores = physicalCores();
  if (process.platform === 'linux') {
    expect(cores).toBeGreaterThanOrEqual(1);
    expect(cores).toBeLessThanOrEqual(availableParallelism());
    // A core has one thread or two.
    expect(2 * cores!).toBeGreaterThanOrEqual(availableParallelism());
  } else expect(cores).toBeNull();
  const runtime = await openNativeRuntime();
  expect(runtime.threads).toBe(cores);
  runtime.release();
});
