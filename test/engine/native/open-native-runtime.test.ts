import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NativeRuntime, openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import type { Session } from '../../../src/engine/runtime.ts';
import { ConfigError, RuntimeError } from '../../../src/errors.ts';
import { affineModel, spec } from '../tiny-models.ts';
import { fill, prepared } from './prepared-session.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 2 });
});
afterAll(() => runtime.release());

describe('openNativeRuntime', () => {
  test('says what it opened', () => {
    expect(runtime).toMatchObject({ provider: 'cpu', version: '1.30.0', threads: 2 });
  });

  test('refuses a thread count that is not a positive integer', async () => {
    await expect(openNativeRuntime({ threads: 0 })).rejects.toThrow(ConfigError);
    await expect(openNativeRuntime({ threads: 1.5 })).rejects.toThrow(
      'Expected `threads` to be a positive integer or null',
    );
  });

  test.each(['webgpu', 'cuda'] as const)('starts provider %s, or says what is missing', async (provider) => {
    const opened = await openNativeRuntime({ provider }).catch((error: unknown) => error);
    if (opened instanceof Error) {
      expect(opened).toBeInstanceOf(RuntimeError);
      expect(opened.message).toMatch(
        new RegExp(`^Expected provider ${provider} to start; got ".*Try .*provider cpu\\.$`),
      );
      return;
    }
    const device = opened as NativeRuntime;
    const { session, inputs, outputs, binding } = await prepared(device, affineModel(3));
    expect([...outputs.y!.read()]).toEqual([0, 0, 0]);
    inputs.x!.write(Float32Array.of(1, 2, 3));
    inputs.scale!.write(Float32Array.of(2, 2, 2));
    await session.run(binding);
    expect([...outputs.y!.read()]).toEqual([2, 4, 6]);
    expect(outputs.y!.view).toBe(null);
    const batch = device.allocate(spec('x', [3]), { residence: 'host' });
    fill(batch, (index) => -index);
    const withBatch = session.bind({ ...inputs, x: batch }, outputs);
    await session.run(withBatch);
    expect([...outputs.y!.read()]).toEqual([0, -2, -4]);
    fill(batch, (index) => index);
    await session.run(withBatch);
    expect([...outputs.y!.read()]).toEqual([0, 2, 4]);
    device.release();
    expect(device.liveObjects()).toBe(0);
  });

  test('takes a second runtime beside the first', async () => {
    const second = await openNativeRuntime();
    const { session, binding } = await prepared(second, affineModel(2));
    await session.run(binding);
    second.release();
    expect(second.liveObjects()).toBe(0);
    const still: { session: Session } = await prepared(runtime, affineModel(2));
    still.session.release();
  });
});
