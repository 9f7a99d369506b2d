import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { ortVersion } from '../src/engine/native/library.ts';
import type { Provider } from '../src/engine/runtime.ts';
import type { BenchContext } from './bench.ts';

/** What the numbers were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly onnxruntime: string;
  /** Threads of the engine and of the peer, each while the other rests. */
  readonly threads: number | null;
  readonly spinning: boolean;
  readonly provider: Provider;
  /** Load average of the last minute before and after: the bench itself makes about `threads`, the rest is others. */
  readonly load: readonly [number, number];
}

function currentLoad(): number {
  return Math.round(loadavg()[0] * 100) / 100;
}

/** Notes the load now; the returned function notes it again and describes the machine. */
export function observeMachine(runtime: BenchContext['runtime']): () => Machine {
  const before = currentLoad();
  return () => ({
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    onnxruntime: ortVersion,
    ...runtime,
    load: [before, currentLoad()],
  });
}
