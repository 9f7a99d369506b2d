/** Tensors in host memory, shared in place between JavaScript and ONNX Runtime. */
import koffi from 'koffi';
import { dtypeFacts, elementCount, type HostArray, hostArray } from '../dtype.ts';
import type { DeviceTensor, TensorSpec } from '../runtime.ts';
import { checkElements } from '../tensor-spec.ts';
import { type NativeContext, ownNative, releasedError } from './context.ts';
import { type NativeObject, nativeObject } from './native-object.ts';

/** Cache line and AVX-512 vector, in bytes: as ONNX Runtime aligns its own allocations. */
const alignment = 64;

/** Zero-filled tensor in host memory. Its memory belongs to the garbage collector, so that a stale view is harmless. */
export function hostTensor(context: NativeContext, spec: TensorSpec): DeviceTensor {
  const view = alignedArray(spec);
  const native = hostValue(context, spec, view);
  let released = false;
  const elements = () => {
    if (released) throw releasedError(`tensor \`${spec.name}\``, 'tensor');
    return view;
  };
  const tensor: DeviceTensor = {
    spec,
    get view() {
      return elements();
    },
    read: () => elements().slice(),
    write(values) {
      checkElements(spec, values, 'engine/native/write');
      copyElements(elements(), values);
    },
    release: () => release(),
  };
  context.values.set(tensor, native);
  const end = () => {
    released = true;
  };
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
  // Host arrays are never made over shared memory here.
  const memory = view.buffer as ArrayBuffer;
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
