/** Sessions of the native runtime: compiled models, their bindings and runs. */
import koffi from 'koffi';
import { RuntimeError } from '../../errors.ts';
import type { Binding, OnnxModel, Session, SessionOptions } from '../runtime.ts';
import { type BoundTensors, bindTensors } from './binding.ts';
import { type NativeContext, ownNative, releasedError } from './context.ts';
import type { Pointer } from './executor.ts';
import { type NativeObject, nativeObject } from './native-object.ts';
import { endProfiling } from './profiling.ts';
import { appendProvider } from './providers.ts';

/** `GraphOptimizationLevel`: all graph optimisations. */
const allOptimizations = 99;

/** Compiles a model, off the main thread. @throws RuntimeError if ONNX Runtime refuses it. */
export async function createNativeSession(
  context: NativeContext,
  model: OnnxModel,
  options: SessionOptions,
): Promise<Session> {
  const native = await compile(context, model.bytes, {
    ...options,
    disabledOptimizers: [...(model.disabledOptimizers ?? []), ...(options.disabledOptimizers ?? [])],
  });
  return sessionOver(context, native, model, options.profilePrefix ?? null);
}

/** A native session without users yet. @throws RuntimeError if ONNX Runtime refuses the model. */
export async function compile(
  context: NativeContext,
  bytes: Uint8Array,
  options: SessionOptions,
): Promise<NativeObject> {
  const { api, environment, executor, ledger } = context;
  // Kept from destruction while another thread compiles.
  const done = environment.retain();
  const sessionOptions = api.create('CreateSessionOptions');
  try {
    configure(context, sessionOptions, options);
    const created = new BigUint64Array(1);
    const call = api.prepare(
      'CreateSessionFromArray',
      environment.pointer,
      koffi.address(bytes),
      bytes.byteLength,
      sessionOptions,
      koffi.address(created),
    );
    api.check(await executor.call(call));
    const pointer = created[0]!;
    return nativeObject(pointer, {
      destroy: (session) => api.release('ReleaseSession', session),
      uses: [environment],
      ledger,
    });
  } finally {
    api.release('ReleaseSessionOptions', sessionOptions);
    done();
  }
}

function configure(
  { api, flushesDenormals, options: runtime }: NativeContext,
  target: Pointer,
  options: SessionOptions,
): void {
  const { disabledOptimizers = [], profilePrefix = null } = options;
  const entry = (key: string, value: string) => api.call('AddSessionConfigEntry', target, key, value);
  api.call('SetSessionGraphOptimizationLevel', target, allOptimizations);
  api.call('SetDeterministicCompute', target, true);
  // The pattern of the first run would be one more block of the run's whole size beside what that run allocated; it saves no time.
  api.call('DisableMemPattern', target);
  if (runtime.threads !== null) api.call('SetIntraOpNumThreads', target, runtime.threads);
  entry('session.intra_op.allow_spinning', runtime.spinning ? '1' : '0');
  // On all threads or on none: see denormals.ts.
  entry('session.set_denormal_as_zero', flushesDenormals ? '1' : '0');
  if (disabledOptimizers.length > 0) {
    entry('optimization.disable_specified_optimizers', disabledOptimizers.join(';'));
  }
  if (profilePrefix !== null) api.call('EnableProfiling', target, profilePrefix);
  appendProvider(api, target, runtime.provider);
}

function sessionOver(
  context: NativeContext,
  native: NativeObject,
  model: OnnxModel,
  profilePrefix: string | null,
): Session {
  const { api, ledger } = context;
  const runOptions = nativeObject(api.create('CreateRunOptions'), {
    destroy: (pointer) => api.release('ReleaseRunOptions', pointer),
    uses: [native],
    ledger,
  });
  const bindings = new WeakMap<Binding, BoundTensors>();
  let state: 'idle' | 'running' | 'released' = 'idle';
  let profiling = profilePrefix !== null;
  const checkOpen = (where: string) => {
    if (state === 'released') throw releasedError('session', where);
  };

  const session: Session = {
    inputs: model.inputs,
    outputs: model.outputs,
    bind(inputs, outputs) {
      checkOpen('bind');
      const { binding, bound } = bindTensors(context, { session: native, model, inputs, outputs });
      bindings.set(binding, bound);
      return binding;
    },
    async run(binding, { signal } = {}) {
      checkOpen('run');
      const bound = bindings.get(binding);
      if (bound === undefined) throw releasedError('binding of this session', 'run');
      if (state === 'running') throw busyError();
      signal?.throwIfAborted();
      state = 'running';
      try {
        await runBound(context, { session: native, runOptions, binding: bound, signal });
      } catch (error) {
        // Released meanwhile: the run was stopped, or its end came too late to matter.
        checkOpen('run');
        throw error;
      } finally {
        if (state === 'running') state = 'idle';
      }
    },
    endProfiling() {
      checkOpen('endProfiling');
      if (!profiling) return null;
      profiling = false;
      return endProfiling(context, native.pointer);
    },
    release: () => release(),
  };
  const end = () => {
    if (state === 'running') api.call('RunOptionsSetTerminate', runOptions.pointer);
    state = 'released';
  };
  const release = ownNative(context, { owner: session, native: runOptions, end });
  return session;
}

interface BoundRun {
  readonly session: NativeObject;
  readonly runOptions: NativeObject;
  readonly binding: BoundTensors;
  readonly signal: AbortSignal | undefined;
}

async function runBound(
  { api, executor }: NativeContext,
  { session, runOptions, binding, signal }: BoundRun,
): Promise<void> {
  const releases = [binding.value.retain(), runOptions.retain()];
  const terminate = () => api.call('RunOptionsSetTerminate', runOptions.pointer);
  signal?.addEventListener('abort', terminate);
  // Node waits for the thread when the process exits.
  process.on('exit', terminate);
  try {
    for (const refresh of binding.refresh) api.check(await executor.call(refresh));
    const call = api.prepare('RunWithBinding', session.pointer, runOptions.pointer, binding.value.pointer);
    api.check(await executor.call(call));
    signal?.throwIfAborted();
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', terminate);
    process.off('exit', terminate);
    if (signal?.aborted) api.call('RunOptionsUnsetTerminate', runOptions.pointer);
    for (const release of releases) release();
  }
}

function busyError(): RuntimeError {
  return new RuntimeError({
    expected: 'session to be idle',
    got: 'a run in progress',
    where: 'engine/native/run',
    remedy: 'awaiting the previous run',
  });
}
