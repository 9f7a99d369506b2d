/** Tensors in host memory, shared in place between JavaScript and ONNX Runtime, and in the memory of a device. */
import koffi from 'koffi';
import { dtypeFacts, type HostArray, hostArray } from '../dtype.ts';
import type { DeviceTensor, TensorSpec } from '../runtime.ts';
import { elementCount } from '../shape.ts';
import { checkElements } from '../tensor-spec.ts';
import { type NativeContext, ownNative, releasedError } from './context.ts';
import type { DeviceMemory } from './device-memory.ts';
import { type NativeObject, nativeObject } from './native-object.ts';

/** Cache line and AVX-512 vector, in bytes: as ONNX Runtime aligns its own allocations. */
const alignment = 64;

/** Zero-filled tensor in host memory. Its memory belongs to the garbage collector, so that a stale view is harmless. */
export function hostTensor(context: NativeContext, spec: TensorSpec): DeviceTensor {
  const view = alignedArray(spec);
  return tensorOver(context, spec, {
    native: hostValue(context, spec, view),
    view,
    read: () => view.slice(),
    write: (values) => copyElements(view, values),
  });
}

/** Zero-filled tensor in the memory of a device. Reading and writing wait for the device, and throw during a run. */
export function deviceTensor(context: NativeContext, device: DeviceMemory, spec: TensorSpec): DeviceTensor {
  const native = device.allocate(spec);
  const transfer = (host: HostArray, direction: 'upload' | 'download') => {
    const value = hostValue(context, spec, host);
    const release = value.retain();
    try {
      if (direction === 'upload') device.copy(spec, value, native);
      else device.copy(spec, native, value);
    } finally {
      release();
    }
  };
  const tensor = tensorOver(context, spec, {
    native,
    view: null,
    read() {
      const host = alignedArray(spec);
      transfer(host, 'download');
      return host.slice();
    },
    write: (values) => transfer(values, 'upload'),
  });
  tensor.write(hostArray(spec.dtype, elementCount(spec.shape)));
  return tensor;
}

/** What differs between tensors by where they live. */
interface Residence {
  readonly native: NativeObject;
  readonly view: HostArray | null;
  read(): HostArray;
  /** Of values that are checked. */
  write(values: HostArray): void;
}

function tensorOver(context: NativeContext, spec: TensorSpec, { native, view, read, write }: Residence): DeviceTensor {
  let released = false;
  const checkOpen = () => {
    if (released) throw releasedError(`tensor \`${spec.name}\``, 'tensor');
  };
  const tensor: DeviceTensor = {
    spec,
    get view() {
      checkOpen();
      return view;
    },
    read() {
      checkOpen();
      return read();
    },
    write(values) {
      checkOpen();
      checkElements(spec, values, 'engine/native/write');
      write(values);
    },
    release: () => release(),
  };
  const end = () => {
    released = true;
  };
  context.values.set(tensor, native);
  const release = ownNative(context, { owner: tensor, native, end });
  return tensor;
}

/** A native value over the memory of a host array, which must not be backed by a resizable or growable buffer. */
export function hostValue(context: NativeContext, spec: TensorSpec, view: HostArray): NativeObject {
  const { api, ledger, hostMemory } = context;
  const pointer = api.create(
    'CreateTensorWithDataAsOrtValue',
    hostMemory.pointer,
    view,
    view.byteLength,
    BigInt64Array.from(spec.shape, BigInt),
    spec.shape.length,
    dtypeFacts[spec.dtype].onnxCode,
  );
  const memory = view.buffer;
  return nativeObject(pointer, { destroy: (value) => api.release('ReleaseValue', value), ledger, memory });
}

function alignedArray({ dtype, shape }: TensorSpec): HostArray {
  const { bytes } = dtypeFacts[dtype];
  const length = elementCount(shape);
  const memory = new ArrayBuffer(length * bytes + alignment);
  const excess = Number(koffi.address(memory) % BigInt(alignment));
  const start = ((alignment - excess) % alignment) / bytes;
  return hostArray(dtype, length + alignment / bytes, memory).subarray(start, start + length);
}

function copyElements(target: HostArray, values: HostArray): void {
  // `checkElements` has established that both are of one type.
  (target as Float32Array).set(values as Float32Array);
}
