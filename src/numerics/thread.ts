/** Starting and ending worker threads, from TypeScript sources as from compiled files. What they do and are sent is their owners' matter. */
import { Worker } from 'node:worker_threads';

/** How long a thread may take to finish what it is at before it is ended, in milliseconds. */
const closingMs = 2000;

/**
 * A thread that does not keep the process alive (see `ref`).
 *
 * @param owner  `import.meta.url` of the caller.
 * @param file   the thread's file beside the caller's, without its ending.
 * @param data   what the thread finds as `workerData`.
 */
export function startThread(owner: string, file: string, data: unknown = null): Worker {
  const fromSources = owner.endsWith('.ts');
  const own = new URL(`${file}.${fromSources ? 'ts' : 'js'}`, owner);
  const entry = fromSources ? new URL('./thread-source.mjs', import.meta.url) : own;
  // The process's flags are not passed on: some (--input-type) would keep the thread from starting.
  const worker = new Worker(entry, { workerData: data, argv: fromSources ? [own.href] : [], execArgv: [] });
  worker.unref();
  return worker;
}

/** Asks a thread to finish, by the message `null`; ends it if it does not. */
export async function endThread(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  worker.ref();
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const timer = setTimeout(() => void worker.terminate(), closingMs);
  worker.postMessage(null);
  await ended;
  clearTimeout(timer);
}
