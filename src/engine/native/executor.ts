/**
 * A thread for the native calls that take long: compiling and running. Node's own thread pool would do, except that its threads do
 * not flush denormals (see `denormals.ts`) and that a run would occupy one of its four.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { RuntimeError } from '../../errors.ts';
import { findLibrary } from './library.ts';

/** Address of a native object or function. */
export type Pointer = bigint;

/** A call of a native function, as data. */
export interface NativeCall {
  readonly address: Pointer;
  /** C types of the parameters, in koffi's notation. */
  readonly types: readonly string[];
  /** Addresses and numbers; whoever calls keeps what they point to alive. */
  readonly values: readonly (Pointer | number)[];
}

/** Calls on another thread, one after the other. */
export interface Executor {
  /** The result as an address, `null` for a null pointer. @throws RuntimeError if the thread is gone. */
  call(call: NativeCall): Promise<Pointer | null>;
  /** Whether the thread computes denormal results as zero. */
  flushesDenormals(): Promise<boolean>;
  /** Whether calls are waiting or in progress. */
  isBusy(): boolean;
  /** Ends the thread after the calls already made. */
  stop(): void;
}

interface Answer {
  readonly id: number;
  readonly result: Pointer | null;
  readonly flushes: boolean;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: RuntimeError) => void;
}

/** Stack of native calls: koffi gives them one of their own, and 2 MiB unless told. */
const stackBytes = 8 << 20;

/**
 * What the thread does, in JavaScript that needs no compiling: a thread starts in 50 ms so, and in 300 ms where it must load
 * TypeScript first. `tiny` goes through memory, so that the product is computed there and not by the compiler.
 */
const threadSource = `
  const { parentPort, workerData } = require('node:worker_threads');
  const koffi = require(workerData.koffi);
  koffi.config({ sync_stack_size: workerData.stackBytes });
  koffi.load(workerData.library);
  const functions = new Map();
  const tiny = Float64Array.of(2 ** -1022, 0.5);
  function nativeFunction({ address, types }) {
    if (!functions.has(address)) functions.set(address, koffi.decode(address, koffi.proto('void *', types)));
    return functions.get(address);
  }
  parentPort.on('message', (request) => {
    if (request === null) return parentPort.close();
    const { id, call } = request;
    const result = call && nativeFunction(call)(...call.values);
    parentPort.postMessage({ id, result, flushes: tiny[0] * tiny[1] === 0 });
  });
`;

/** Starts the thread. */
export function startExecutor(): Executor {
  const koffi = createRequire(import.meta.url).resolve('koffi');
  // No execArgv: the loaders that the process was started with are of no use to the thread.
  const worker = new Worker(threadSource, {
    eval: true,
    execArgv: [],
    workerData: { koffi, library: findLibrary(), stackBytes },
  });
  const waiting = new Map<number, Waiting>();
  let requests = 0;
  let ended: string | null = null;
  const end = (reason: string) => {
    ended ??= reason;
    for (const { reject } of waiting.values()) reject(endedError(ended));
    waiting.clear();
  };
  worker.unref();
  worker.on('error', (error) => end(error.message));
  worker.on('exit', (status) => end(`exit status ${status}`));
  worker.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
    if (waiting.size === 0) worker.unref();
  });
  const ask = (call: NativeCall | null) =>
    new Promise<Answer>((resolve, reject) => {
      if (ended !== null) throw endedError(ended);
      const id = requests++;
      waiting.set(id, { resolve, reject });
      // A process does not end while it waits for an answer.
      worker.ref();
      worker.postMessage({ id, call });
    });
  return {
    call: async (call) => (await ask(call)).result,
    flushesDenormals: async () => (await ask(null)).flushes,
    isBusy: () => waiting.size > 0,
    stop: () => worker.postMessage(null),
  };
}

function endedError(reason: string): RuntimeError {
  return new RuntimeError(`The thread that runs ONNX Runtime ended: ${reason}`);
}
