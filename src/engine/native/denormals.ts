/**
 * Makes an executor's thread flush denormal floating-point numbers to zero, as ONNX Runtime does on the threads that it makes
 * itself under `session.set_denormal_as_zero`. The thread that calls `Run` computes a share of every kernel, so it must agree
 * with them: otherwise which elements are flushed depends on which thread happens to compute them.
 */
import koffi from 'koffi';
import type { Executor, NativeCall } from './executor.ts';

/** `_DN_FLUSH` and `_MCW_DN` of Microsoft's `_controlfp`. */
const windowsFlush = 0x01000000;
const windowsMask = 0x03000000;

/** Where a C library keeps the control register in its `fenv_t`, and the bits that flush: FTZ and DAZ on x64, FZ on arm64. */
interface ControlRegister {
  readonly library: string;
  readonly byteOffset: number;
  readonly bits: number;
}

const controlRegisters: Readonly<Record<string, ControlRegister>> = {
  'linux-x64': { library: 'libm.so.6', byteOffset: 28, bits: 0x8040 },
  'linux-arm64': { library: 'libm.so.6', byteOffset: 0, bits: 1 << 24 },
  'darwin-arm64': { library: '/usr/lib/libSystem.B.dylib', byteOffset: 8, bits: 1 << 24 },
};

/** Generous: the largest `fenv_t` of the platforms above has 32 bytes. */
const environmentBytes = 256;

/** @returns whether the thread now flushes denormals; false where the platform is not known, and then no thread must. */
export async function flushDenormals(executor: Executor): Promise<boolean> {
  try {
    if (process.platform === 'win32') await executor.call(windowsCall());
    else await setControlRegister(executor, controlRegisters[`${process.platform}-${process.arch}`]);
  } catch {
    // A library or symbol is missing. What counts is measured next.
  }
  return executor.flushesDenormals();
}

function windowsCall(): NativeCall {
  const address = koffi.load('ucrtbase.dll').symbol('_controlfp');
  return { address, types: ['uint', 'uint'], values: [windowsFlush, windowsMask] };
}

async function setControlRegister(executor: Executor, register: ControlRegister | undefined): Promise<void> {
  if (register === undefined) return;
  const library = koffi.load(register.library);
  const environment = new DataView(new ArrayBuffer(environmentBytes));
  const call = (name: string) =>
    executor.call({ address: library.symbol(name), types: ['void *'], values: [koffi.address(environment.buffer)] });
  await call('fegetenv');
  environment.setUint32(register.byteOffset, environment.getUint32(register.byteOffset, true) | register.bits, true);
  await call('fesetenv');
}
