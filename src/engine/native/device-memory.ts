/**
 * Memory of a provider's device. ONNX Runtime copies between host and device at the edges of a run, so a copy is the run of a
 * session that does nothing else, which serves every provider alike.
 */
import { RuntimeError } from '../../errors.ts';
import { dtypeFacts, type HostDType } from '../dtype.ts';
import { encodeModel } from '../onnx/model-proto.ts';
import type { Provider, TensorSpec } from '../runtime.ts';
import { type NativeContext, ownNative } from './context.ts';
import { type NativeObject, nativeObject, type Release } from './native-object.ts';
import { cString } from './ort-api.ts';
import { compile } from './session.ts';

export interface DeviceMemory {
  /** Whether tensors of this dtype live on the device; others live in host memory and are copied in each run. */
  holds(dtype: HostDType): boolean;
  /** A value with undefined contents, without users yet. */
  allocate(spec: TensorSpec): NativeObject;
  /** Copies between values of one spec, wherever they live. @throws RuntimeError while a run is in progress. */
  copy(spec: TensorSpec, from: NativeObject, to: NativeObject): void;
}

type DeviceProvider = Exclude<Provider, 'cpu'>;

/** `OrtDeviceAllocator` and `OrtMemTypeDefault`. */
const deviceAllocator = 0;
const defaultMemory = 0;

/** Name of each provider's memory, and the dtypes that its kernels take. */
const memories: { readonly [K in DeviceProvider]: { readonly name: string; readonly dtypes: readonly HostDType[] } } = {
  webgpu: { name: 'WebGPU_Buffer', dtypes: ['float32', 'int32'] },
  cuda: { name: 'Cuda', dtypes: ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool'] },
};

/** @throws RuntimeError if the provider does not start. */
export async function openDeviceMemory(context: NativeContext, provider: DeviceProvider): Promise<DeviceMemory> {
  const { dtypes } = memories[provider];
  const held: Release[] = [];
  const hold = (native: NativeObject) => {
    held.push(native.retain());
    return native;
  };
  try {
    const copiers = new Map<HostDType, NativeObject>();
    for (const dtype of dtypes) copiers.set(dtype, hold(await compile(context, identityModel(dtype), {})));
    const allocator = hold(createAllocator(context, provider, copiers.get(dtypes[0]!)!));
    const memory = memoryOver(context, copiers, allocator);
    for (const native of [...copiers.values(), allocator]) ownNative(context, { owner: memory, native });
    return memory;
  } finally {
    for (const release of held) release();
  }
}

function createAllocator(
  { api, ledger }: NativeContext,
  provider: DeviceProvider,
  session: NativeObject,
): NativeObject {
  const info = api.create('CreateMemoryInfo', memories[provider].name, deviceAllocator, 0, defaultMemory);
  try {
    return nativeObject(api.create('CreateAllocator', session.pointer, info), {
      destroy: (pointer) => api.release('ReleaseAllocator', pointer),
      uses: [session],
      ledger,
    });
  } finally {
    api.release('ReleaseMemoryInfo', info);
  }
}

function memoryOver(
  context: NativeContext,
  copiers: ReadonlyMap<HostDType, NativeObject>,
  allocator: NativeObject,
): DeviceMemory {
  const { api, executor, hostMemory, ledger } = context;
  return {
    holds: (dtype) => copiers.has(dtype),
    allocate({ dtype, shape }) {
      const dimensions = BigInt64Array.from(shape, BigInt);
      const code = dtypeFacts[dtype].onnxCode;
      const pointer = api.create('CreateTensorAsOrtValue', allocator.pointer, dimensions, shape.length, code);
      const destroy = (value: bigint) => api.release('ReleaseValue', value);
      // Copies to and from the host need the description of its memory.
      return nativeObject(pointer, { destroy, uses: [allocator, hostMemory], ledger });
    },
    copy({ name, dtype }, from, to) {
      if (executor.isBusy()) throw busyError(name);
      runCopy(context, copiers.get(dtype)!, { from, to });
    },
  };
}

function runCopy(
  { api }: NativeContext,
  session: NativeObject,
  { from, to }: { readonly from: NativeObject; readonly to: NativeObject },
): void {
  const binding = api.create('CreateIoBinding', session.pointer);
  try {
    api.call('BindInput', binding, cString('from'), from.pointer);
    api.call('BindOutput', binding, 'to', to.pointer);
    api.call('RunWithBinding', session.pointer, null, binding);
    api.call('SynchronizeBoundOutputs', binding);
  } finally {
    api.release('ReleaseIoBinding', binding);
  }
}

function identityModel(dtype: HostDType): Uint8Array {
  const copy = { opType: 'Identity', domain: '', name: 'copy', inputs: ['from'], outputs: ['to'], attributes: [] };
  return encodeModel({
    name: 'copy',
    nodes: [copy],
    inputs: [{ name: 'from', dtype, shape: null }],
    outputs: [{ name: 'to', dtype, shape: null }],
    initializers: [],
  });
}

function busyError(name: string): RuntimeError {
  return new RuntimeError({
    expected: `no run in progress while tensor \`${name}\` is copied to or from its device`,
    got: 'one',
    where: 'engine/native/tensor',
    remedy: 'awaiting the run, or allocating the tensor in host memory',
  });
}
