/** Entry file of a prefetch thread: reads batches and sends their pixels to the thread that started it. */
import { parentPort, workerData } from 'node:worker_threads';
import { packError } from '../numerics/packed-error.ts';
import { assembleBatch, type BatchRequest } from './batch.ts';
import type { PixelSource } from './pixel-source.ts';

/** A batch to read. */
export interface PrefetchJob extends BatchRequest {
  readonly job: number;
}

if (parentPort !== null) {
  const port = parentPort;
  // The thread that starts this file passes the description of its source and nothing else.
  const source = workerData as PixelSource;
  port.on('message', async (message: PrefetchJob | null) => {
    if (message === null) {
      port.close();
      return;
    }
    const { job } = message;
    try {
      const batch = await assembleBatch(source, message);
      port.postMessage({ job, batch }, [batch.pixels.buffer as ArrayBuffer]);
    } catch (error) {
      port.postMessage({ job, error: packError(error) });
    }
  });
}
