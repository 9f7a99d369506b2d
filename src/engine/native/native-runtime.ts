/** The Node runtime: ONNX Runtime's C API behind the `Runtime` interface. */
import { ConfigError } from '../../errors.ts';
import type { Runtime, RuntimeOptions } from '../runtime.ts';
import { findChannelBlock } from './channel-block.ts';
import { type NativeContext, ownNative, releasedError } from './context.ts';
import { flushDenormals } from './denormals.ts';
import { openDeviceMemory } from './device-memory.ts';
import { startExecutor } from './executor.ts';
import { ortVersion } from './library.ts';
import { type Ledger, nativeObject } from './native-object.ts';
import { openOrtApi } from './ort-api.ts';
import { physicalCores } from './physical-cores.ts';
import { createNativeSession } from './session.ts';
import { deviceTensor, hostTensor } from './tensor.ts';

/** `OrtLoggingLevel`: failures arrive as errors, so nothing is printed besides. */
const fatalOnly = 4;
/** `OrtDeviceAllocator` and `OrtMemTypeDefault`. */
const deviceAllocator = 0;
const defaultMemory = 0;

/** A runtime that can say what it still holds. */
export interface NativeRuntime extends Runtime {
  /** Native objects that exist; 0 after everything, the runtime included, is released and no run is in progress. */
  liveObjects(): number;
}

/**
 * ONNX Runtime in this process. Defaults: provider cpu, a thread for each physical core, no spinning.
 * @throws ConfigError for a thread count that is not a positive integer; RuntimeError if the library is missing or of another version, or the provider does not start.
 */
export async function openNativeRuntime(options: RuntimeOptions = {}): Promise<NativeRuntime> {
  const context = createContext(options);
  const held = [context.environment.retain(), context.hostMemory.retain()];
  try {
    const { executor } = context;
    const { provider } = context.options;
    const flushing = { ...context, flushesDenormals: await flushDenormals(executor) };
    const device = provider === 'cpu' ? null : await openDeviceMemory(flushing, provider);
    const processor: Processor = { channelBlock: null };
    const runtime = runtimeOver({ ...flushing, device }, processor);
    if (provider === 'cpu') processor.channelBlock = await findChannelBlock(runtime);
    return runtime;
  } finally {
    for (const release of held) release();
  }
}

/** What is found out by running something, once the runtime exists. */
interface Processor {
  channelBlock: number | null;
}

function runtimeOver(context: NativeContext, processor: Processor): NativeRuntime {
  const { provider, threads } = context.options;
  let released = false;
  const checkOpen = (where: string) => {
    if (released) throw releasedError('runtime', where);
  };
  const runtime: NativeRuntime = {
    provider,
    version: ortVersion,
    threads,
    get channelBlock() {
      return processor.channelBlock;
    },
    liveObjects: () => context.ledger.live,
    async createSession(model, sessionOptions = {}) {
      checkOpen('createSession');
      const session = await createNativeSession(context, model, sessionOptions);
      if (released) session.release();
      checkOpen('createSession');
      return session;
    },
    allocate(spec, { residence = 'device' } = {}) {
      checkOpen('allocate');
      const { device } = context;
      return residence === 'device' && device?.holds(spec.dtype)
        ? deviceTensor(context, device, spec)
        : hostTensor(context, spec);
    },
    release() {
      released = true;
      for (const release of [...context.open]) release();
    },
  };
  ownNative(context, { owner: runtime, native: context.environment });
  ownNative(context, { owner: runtime, native: context.hostMemory });
  return runtime;
}

/** What every runtime has; the thread is not asked anything yet, and there is no device. */
function createContext({ provider = 'cpu', threads = null, spinning = false }: RuntimeOptions): NativeContext {
  if (threads !== null && !(Number.isInteger(threads) && threads > 0)) {
    throw new ConfigError({ expected: '`threads` to be a positive integer or null', got: String(threads) });
  }
  const api = openOrtApi();
  const ledger: Ledger = { live: 0 };
  const executor = startExecutor();
  const thread = nativeObject(0n, { destroy: executor.stop, ledger });
  const environment = nativeObject(api.create('CreateEnv', fatalOnly, 'flowloom'), {
    destroy: (pointer) => api.release('ReleaseEnv', pointer),
    uses: [thread],
    ledger,
  });
  api.call('DisableTelemetryEvents', environment.pointer);
  const hostMemory = nativeObject(api.create('CreateCpuMemoryInfo', deviceAllocator, defaultMemory), {
    destroy: (pointer) => api.release('ReleaseMemoryInfo', pointer),
    uses: [environment],
    ledger,
  });
  return {
    api,
    executor,
    flushesDenormals: false,
    options: { provider, threads: threads ?? physicalCores(), spinning },
    environment,
    hostMemory,
    ledger,
    device: null,
    values: new WeakMap(),
    open: new Set(),
  };
}
