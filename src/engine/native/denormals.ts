/**
 * Makes an executor's thread flush denormal floating-point numbers to zero, as ONNX Runtime does on the threads that it makes
 * itself under `session.set_denormal_as_zero`. The thread that calls `Run` computes a share of every kernel, so it must agree
 * with them: otherwise which elements are flushed depends on which thread happens to compute them.
 */
import koffi from 'koffi';
import type { Executor } from './executor.ts';

/** `_DN_FLUSH` and `_MCW_DN` of Microsoft's `_controlfp`. */
const windowsFlush = 0x01000000;
const windowsMask = 0x03000000;

/** Size of glibc's `fenv_t` on x64, and where in it MXCSR is. */
const environmentBytes = 32;
const mxcsrOffset = 28;
/** FTZ and DAZ of MXCSR. */
const flushBits = 0x8040;

/**
 * ONNX Runtime flushes on x64 only; elsewhere denormals cost little.
 * @returns whether the thread now flushes denormals; where it does not, no other thread may.
 */
export async function flushDenormals(executor: Executor): Promise<boolean> {
  if (process.arch !== 'x64') return false;
  try {
    if (process.platform === 'win32') await setWindowsControl(executor);
    if (process.platform === 'linux') await setMxcsr(executor);
  } catch {
    // A library or symbol is missing. What counts is measured next.
  }
  return executor.flushesDenormals();
}

async function setWindowsControl(executor: Executor): Promise<void> {
  const address = koffi.load('ucrtbase.dll').symbol('_controlfp');
  await executor.call({ address, types: ['uint', 'uint'], values: [windowsFlush, windowsMask] });
}

async function setMxcsr(executor: Executor): Promise<void> {
  const library = koffi.load('libm.so.6');
  const environment = new DataView(new ArrayBuffer(environmentBytes));
  const call = (name: string) =>
    executor.call({ address: library.symbol(name), types: ['void *'], values: [koffi.address(environment.buffer)] });
  await call('fegetenv');
  environment.setUint32(mxcsrOffset, environment.getUint32(mxcsrOffset, true) | flushBits, true);
  await call('fesetenv');
}
