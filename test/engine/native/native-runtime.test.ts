import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostArray, hostArray, hostDTypes } from '../../../src/engine/dtype.ts';
import { type NativeRuntime, openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { RuntimeError, ShapeError } from '../../../src/errors.ts';
import { affineModel, collectGarbage, gatherModel, longModel, matMulModel, model, node, spec } from '../tiny-models.ts';
import { fill, prepared } from './prepared-session.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 2 });
});
afterAll(() => runtime.release());

function bytesOf({ buffer, byteOffset, byteLength }: HostArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A run that takes seconds unless it is stopped. */
async function longRun(iterations = 200_000) {
  return prepared(runtime, longModel(128, iterations));
}

describe('a tensor', () => {
  test.each(hostDTypes)('of %s starts at zero, and reads what was written', (dtype) => {
    const tensor = runtime.allocate(spec('t', [2, 3], dtype));
    expect(tensor.read()).toEqual(hostArray(dtype, 6));
    const values = hostArray(dtype, 6);
    values[4] = dtype === 'int64' ? -5n : 1;
    tensor.write(values);
    expect(tensor.read()).toEqual(values);
    expect(tensor.view).toEqual(values);
    tensor.release();
  });

  test('may be a scalar or empty', () => {
    expect(runtime.allocate(spec('scalar')).view).toHaveLength(1);
    expect(runtime.allocate(spec('empty', [0, 3])).view).toHaveLength(0);
  });

  test('gives copies by `read` and its own memory, aligned to cache lines, by `view`', () => {
    const tensor = runtime.allocate(spec('t', [3]));
    const copy = tensor.read();
    fill(tensor, () => 2);
    expect([...copy]).toEqual([0, 0, 0]);
    expect([...tensor.read()]).toEqual([2, 2, 2]);
    expect(tensor.view!.byteLength).toBe(12);
  });

  test('refuses values of another length or type', () => {
    const tensor = runtime.allocate(spec('weight', [2, 2]));
    expect(() => tensor.write(new Float32Array(3))).toThrow(ShapeError);
    expect(() => tensor.write(new Float64Array(4))).toThrow(
      'Expected values of `weight` to be float32 [2, 2]; got Float64Array of length 4. In engine/native/write.',
    );
  });

  test('refuses any use after its release, which may be repeated', () => {
    const tensor = runtime.allocate(spec('t', [1]));
    tensor.release();
    tensor.release();
    expect(() => tensor.read()).toThrow(RuntimeError);
    expect(() => tensor.view).toThrow('Expected tensor `t` to be in use; got a released one.');
    expect(() => tensor.write(new Float32Array(1))).toThrow(RuntimeError);
  });
});

describe('a run', () => {
  test('computes into the tensors that are bound', async () => {
    const { session, inputs, outputs, binding } = await prepared(runtime, affineModel(4));
    fill(inputs.x!, (index) => index);
    fill(inputs.scale!, () => 10);
    fill(inputs.shift!, () => 1);
    const view = outputs.y!.view!;
    await session.run(binding);
    expect([...view]).toEqual([1, 11, 21, 31]);
    fill(inputs.shift!, () => 2);
    await session.run(binding);
    expect([...view]).toEqual([2, 12, 22, 32]);
  });

  test('leaves the event loop free', async () => {
    const { session, binding } = await longRun(3_000);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    const start = performance.now();
    await session.run(binding);
    const elapsed = performance.now() - start;
    clearInterval(timer);
    expect(elapsed).toBeGreaterThan(20);
    expect(ticks).toBeGreaterThan(elapsed / 20);
  });

  test('gives the same bits every time with two threads', async () => {
    const { session, inputs, outputs, binding } = await prepared(runtime, matMulModel(192));
    fill(inputs.a!, (index) => Math.sin(index));
    fill(inputs.b!, (index) => Math.cos(3 * index));
    await session.run(binding);
    const first = outputs.c!.read();
    for (let repeat = 0; repeat < 20; repeat++) {
      await session.run(binding);
      expect(Buffer.compare(bytesOf(outputs.c!.view!), bytesOf(first))).toBe(0);
    }
  });

  test('treats denormals alike on every thread, every time, and leaves the main thread its own', async () => {
    const length = 1 << 18;
    const { session, inputs, outputs, binding } = await prepared(runtime, affineModel(length));
    fill(inputs.x!, () => 1e-30);
    fill(inputs.scale!, () => 1e-10);
    const seen = new Set<number>();
    for (let repeat = 0; repeat < 5; repeat++) {
      fill(outputs.y!, () => 7);
      await session.run(binding);
      for (const value of outputs.y!.view as Float32Array) seen.add(value);
    }
    // ONNX Runtime flushes on x64 only.
    expect([...seen]).toEqual([process.arch === 'x64' ? 0 : Math.fround(1e-40)]);
    const smallest = Float64Array.of(2 ** -1022, 0.5);
    expect(smallest[0]! * smallest[1]!).toBeGreaterThan(0);
  });

  test('that fails names the node, and the session goes on', async () => {
    const { session, inputs, outputs, binding } = await prepared(runtime, gatherModel(3));
    inputs.index!.write(BigInt64Array.of(7n));
    await expect(session.run(binding)).rejects.toThrow(RuntimeError);
    await expect(session.run(binding)).rejects.toThrow(
      /Expected node `look up` \(Gather\) to run; got "indices element/,
    );
    fill(inputs.table!, (index) => index + 1);
    inputs.index!.write(BigInt64Array.of(2n));
    await session.run(binding);
    expect([...outputs.y!.view!]).toEqual([3]);
  });

  test('does not hold up the exit of the process', () => {
    const script = fileURLToPath(new URL('./exit-during-run.ts', import.meta.url));
    const { status } = spawnSync(process.execPath, ['--import', 'tsx', script], { timeout: 30_000 });
    expect(status).toBe(3);
  });

  test('refuses another run of the session meanwhile', async () => {
    const { session, binding } = await longRun(500);
    const run = session.run(binding);
    await expect(session.run(binding)).rejects.toThrow('Expected session to be idle; got a run in progress.');
    await run;
    await session.run(binding);
  });

  test('shares the processor with a run of another session, asked for at the same time', async () => {
    const [one, two] = await Promise.all([longRun(50), longRun(50)]);
    await Promise.all([one.session.run(one.binding), two.session.run(two.binding)]);
  });
});

describe('an aborted run', () => {
  test('rejects with the reason of the signal before it ends by itself, and the session works again', async () => {
    const { session, inputs, binding } = await longRun();
    const aborter = new AbortController();
    const reason = new Error('enough');
    const start = performance.now();
    const run = session.run(binding, { signal: aborter.signal });
    setTimeout(() => aborter.abort(reason), 30);
    await expect(run).rejects.toBe(reason);
    expect(performance.now() - start).toBeLessThan(3_000);

    // The same session, stopped at once a second time: the flag of the first time is gone.
    fill(inputs.x!, () => 0);
    const again = session.run(binding, { signal: AbortSignal.timeout(30) });
    await expect(again).rejects.toThrow(expect.objectContaining({ name: 'TimeoutError' }));
    const short = await longRun(3);
    await short.session.run(short.binding, { signal: AbortSignal.timeout(10_000) });
  });

  test('does not start where the signal is already aborted', async () => {
    const { session, outputs, binding } = await prepared(runtime, affineModel(2));
    fill(outputs.y!, () => 5);
    await expect(session.run(binding, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect([...outputs.y!.view!]).toEqual([5, 5]);
    await session.run(binding);
    expect([...outputs.y!.view!]).toEqual([0, 0]);
  });
});

describe('a binding', () => {
  test('refuses an output that shares memory with an input or another output', async () => {
    const source = model({
      nodes: [node('y = Neg(x)'), node('z = Abs(x)')],
      inputs: [spec('x', [2])],
      outputs: [spec('y', [2]), spec('z', [2])],
    });
    const { session, inputs, outputs } = await prepared(runtime, source);
    expect(() => session.bind(inputs, { y: inputs.x!, z: outputs.z! })).toThrow(ShapeError);
    expect(() => session.bind(inputs, { y: inputs.x!, z: outputs.z! })).toThrow(
      'Expected output `y` to have a tensor of its own; got that of input `x`. In engine/native/bind.',
    );
    expect(() => session.bind(inputs, { y: outputs.y!, z: outputs.y! })).toThrow('got that of output `y`');
  });

  test('refuses missing and unknown names, other specs, and released tensors', async () => {
    const { session, inputs, outputs } = await prepared(runtime, affineModel(2));
    const { x: _, ...rest } = inputs;
    const other = runtime.allocate(spec('x', [3]));
    const gone = runtime.allocate(spec('x', [2]));
    gone.release();
    expect(() => session.bind(rest, outputs)).toThrow('Expected a tensor for `x`; got none.');
    expect(() => session.bind({ ...inputs, extra: inputs.x! }, outputs)).toThrow('got `extra`');
    expect(() => session.bind({ ...inputs, x: other }, outputs)).toThrow(
      'Expected `x` to be float32 [2]; got float32 [3]. In engine/native/bind.',
    );
    expect(() => session.bind({ ...inputs, x: gone }, outputs)).toThrow(RuntimeError);
  });

  test('keeps the memory of its tensors, though they are released', async () => {
    const { session, inputs, outputs, binding } = await prepared(runtime, affineModel(2));
    fill(inputs.shift!, () => 4);
    const view = outputs.y!.view!;
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.release();
    await collectGarbage();
    await session.run(binding);
    expect([...view]).toEqual([4, 4]);
  });

  test('belongs to its session', async () => {
    const one = await prepared(runtime, affineModel(2));
    const two = await prepared(runtime, affineModel(2));
    await expect(one.session.run(two.binding)).rejects.toThrow('Expected binding of this session to be in use');
  });
});

describe('a session', () => {
  test('of a damaged model is refused with the words of ONNX Runtime', async () => {
    const damaged = { bytes: Uint8Array.of(1, 2, 3), inputs: [], outputs: [] };
    await expect(runtime.createSession(damaged)).rejects.toThrow(/^ONNX Runtime failed: .*protobuf/i);
  });

  test('of a model with an unknown operator is refused by name', async () => {
    const unknown = model({ nodes: [node('y = Nonsense(x)')], inputs: [spec('x')], outputs: [spec('y')] });
    await expect(runtime.createSession(unknown)).rejects.toThrow(/Nonsense/);
  });

  test('profiles where it is asked to, and names its nodes in the profile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flowloom-profile-é-'));
    const source = affineModel(2);
    const session = await runtime.createSession(source, { profilePrefix: join(folder, 'run') });
    const tensors = Object.fromEntries([...source.inputs, ...source.outputs].map((s) => [s.name, runtime.allocate(s)]));
    const { y, ...inputs } = tensors;
    await session.run(session.bind(inputs, { y: y! }));
    const path = session.endProfiling()!;
    expect(path.startsWith(join(folder, 'run'))).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain('kernel_time');
    expect(session.endProfiling()).toBe(null);
    expect((await runtime.createSession(source)).endProfiling()).toBe(null);
    rmSync(folder, { recursive: true });
  });

  test('leaves out the optimisers that are disabled', async () => {
    // Two equal subexpressions: merged, unless the optimiser that merges them is disabled.
    const source = model({
      nodes: [node('p = Exp(x)'), node('q = Exp(x)'), node('y = Mul(p, q)')],
      inputs: [spec('x', [2])],
      outputs: [spec('y', [2])],
    });
    const folder = mkdtempSync(join(tmpdir(), 'flowloom-profile-'));
    const kernels = async (disabledOptimizers: readonly string[]) => {
      const options = { disabledOptimizers, profilePrefix: join(folder, `run${disabledOptimizers.length}`) };
      const session = await runtime.createSession(source, options);
      await session.run(session.bind({ x: runtime.allocate(spec('x', [2])) }, { y: runtime.allocate(spec('y', [2])) }));
      const events = JSON.parse(readFileSync(session.endProfiling()!, 'utf8')) as { name: string }[];
      return events.filter(({ name }) => /^[pq]_kernel_time$/.test(name)).length;
    };
    expect(await kernels([])).toBe(1);
    expect(await kernels(['CommonSubexpressionElimination'])).toBe(2);
    rmSync(folder, { recursive: true });
  });

  test('released during a run stops it, and refuses further use', async () => {
    const { session, binding } = await longRun();
    const run = session.run(binding);
    await new Promise((resolve) => setTimeout(resolve, 20));
    session.release();
    session.release();
    await expect(run).rejects.toThrow('Expected session to be in use; got a released one.');
    await expect(session.run(binding)).rejects.toThrow(RuntimeError);
    expect(() => session.bind({}, {})).toThrow(RuntimeError);
  });
});

describe('native objects', () => {
  /** Objects of one session with its binding and tensors: session, run options, binding, and one value for each tensor. */
  const perSession = 3 + affineModel(2).inputs.length + 1;

  test('are gone when everything is released, in any order', async () => {
    const before = runtime.liveObjects();
    const { session, inputs, outputs, binding } = await prepared(runtime, affineModel(2));
    expect(runtime.liveObjects()).toBe(before + perSession);
    session.release();
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.release();
    binding.release();
    expect(runtime.liveObjects()).toBe(before);
  });

  test('are gone after the runtime is released, also during a run, and the runtime refuses further use', async () => {
    const own = await openNativeRuntime({ threads: 1 });
    const { session, binding } = await prepared(own, longModel(128, 200_000));
    const run = session.run(binding);
    own.release();
    own.release();
    await expect(run).rejects.toThrow(RuntimeError);
    expect(own.liveObjects()).toBe(0);
    expect(() => own.allocate(spec('t'))).toThrow('Expected runtime to be in use; got a released one.');
    await expect(own.createSession(affineModel(2))).rejects.toThrow(RuntimeError);
  });

  test('are gone after garbage collection where nobody released them', async () => {
    await collectGarbage();
    const before = runtime.liveObjects();
    const abandon = async () => {
      const { session, binding } = await prepared(runtime, affineModel(2));
      await session.run(binding);
      expect(runtime.liveObjects()).toBe(before + perSession);
    };
    await abandon();
    await collectGarbage();
    expect(runtime.liveObjects()).toBeLessThanOrEqual(before);
  });

  test('of a run in progress outlive what was abandoned to garbage collection', async () => {
    const start = async () => {
      const { session, binding, outputs } = await longRun(3_000);
      return { run: session.run(binding), view: outputs.y!.view! };
    };
    const { run, view } = await start();
    await collectGarbage();
    await run;
    expect(view[0]).toBe(0);
  });

  test('take no more memory after many runs', async () => {
    const { session, binding } = await prepared(runtime, affineModel(1024));
    for (let run = 0; run < 1_000; run++) await session.run(binding);
    await collectGarbage();
    const before = process.memoryUsage.rss();
    for (let run = 0; run < 4_000; run++) await session.run(binding);
    await collectGarbage();
    // A leak of one status or one small buffer in each run would exceed this.
    expect(process.memoryUsage.rss() - before).toBeLessThan(8 << 20);
  });
});
