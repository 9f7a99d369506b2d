/** What this machine offers. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { ortVersion } from '../../engine/native/library.ts';
import type { Provider } from '../../engine/runtime.ts';
import { checkEngine, type EngineCheck } from './engine-check.ts';

/** An execution provider: its self-test, or why it does not start. */
export type ProviderReport =
  | { readonly available: true; readonly check: EngineCheck }
  | { readonly available: false; readonly reason: string };

/** Facts about the machine and the engine on it. */
export interface MachineReport {
  readonly node: string;
  readonly platform: string;
  readonly architecture: string;
  readonly processor: string;
  /** Threads that the system lets this process run at once. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Version of ONNX Runtime. */
  readonly onnxRuntime: string;
  readonly providers: { readonly [K in Provider]: ProviderReport };
}

async function tryProvider(provider: Provider, seed: number): Promise<ProviderReport> {
  try {
    return { available: true, check: await checkEngine({ provider }, seed) };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Looks at the machine and runs the engine's self-test on every provider that starts. */
export async function examineMachine(seed = 0): Promise<MachineReport> {
  return {
    node: process.version,
    platform: process.platform,
    architecture: process.arch,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    onnxRuntime: ortVersion,
    providers: {
      cpu: await tryProvider('cpu', seed),
      webgpu: await tryProvider('webgpu', seed),
      cuda: await tryProvider('cuda', seed),
    },
  };
}
