/** Worker threads that assemble batches. */
import { Worker } from 'node:worker_threads';
import { FlowError } from '../errors.ts';
import type { BatchPixels, BatchRequest } from './batch.ts';
import { type PackedError, unpackError } from './packed-error.ts';
import type { PixelSource } from './pixel-source.ts';

/** How long a thread may take to finish what it is at before it is ended, in milliseconds. */
const closingMs = 2000;

/** Something that assembles batches; calls may overlap. */
export interface BatchAssembler {
  assemble(request: BatchRequest): Promise<BatchPixels>;
  /** Keeps the process alive while somebody waits for a batch; between, the threads do not. */
  hold(): void;
  release(): void;
  /** Ends the threads; batches that are not done are dropped. */
  close(): Promise<void>;
}

type Answer = { readonly job: number } & ({ readonly batch: BatchPixels } | { readonly error: PackedError });

interface Waiting {
  resolve(batch: BatchPixels): void;
  reject(error: Error): void;
}

/** Starts `threads` threads that read from `source`; batch number n goes to thread n mod threads. */
export function startPrefetchPool(source: PixelSource, threads: number): BatchAssembler {
  const fromSources = import.meta.url.endsWith('.ts');
  const entry = new URL(fromSources ? './prefetch-worker-source.mjs' : './prefetch-worker.js', import.meta.url);
  const waiting = new Map<number, Waiting>();
  let jobs = 0;
  let holders = 0;
  let failure: Error | null = null;

  function fail(error: Error): void {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  }

  const workers = Array.from({ length: threads }, () => {
    // The process's flags are not passed on: some (--input-type) would keep the thread from starting.
    const worker = new Worker(entry, { workerData: source, execArgv: [] });
    worker.unref();
    worker.on('message', (answer: Answer) => {
      const place = waiting.get(answer.job);
      waiting.delete(answer.job);
      if ('batch' in answer) place?.resolve(answer.batch);
      else place?.reject(unpackError(answer.error));
    });
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('messageerror', fail);
    worker.on('exit', (code) => fail(new FlowError(`A prefetch thread ended early, with exit status ${code}.`)));
    return worker;
  });

  return {
    assemble(request) {
      if (failure !== null) return Promise.reject(failure);
      const job = jobs++;
      return new Promise((resolve, reject) => {
        waiting.set(job, { resolve, reject });
        workers[job % threads]!.postMessage({ job, ...request });
      });
    },
    hold() {
      if (holders++ === 0) for (const worker of workers) worker.ref();
    },
    release() {
      if (--holders === 0) for (const worker of workers) worker.unref();
    },
    async close() {
      fail(new FlowError('The loader is closed.'));
      await Promise.all(workers.map(endWorker));
    },
  };
}

/** Asks a thread to finish; ends it if it does not. */
async function endWorker(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  worker.ref();
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const timer = setTimeout(() => void worker.terminate(), closingMs);
  worker.postMessage(null);
  await ended;
  clearTimeout(timer);
}
