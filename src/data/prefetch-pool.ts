/** Worker threads that assemble batches. */
import { FlowError } from '../errors.ts';
import { type PackedError, unpackError } from '../numerics/packed-error.ts';
import { endThread, startThread } from '../numerics/thread.ts';
import type { BatchPixels, BatchRequest } from './batch.ts';
import type { PixelSource } from './pixel-source.ts';

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
    const worker = startThread(import.meta.url, './prefetch-worker', source);
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
      await Promise.all(workers.map(endThread));
    },
  };
}
