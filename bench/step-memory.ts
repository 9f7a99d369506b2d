/** Peak memory of a few training steps, each side in a process that does nothing else. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchContext, PeakMemory } from './bench.ts';
import { isMissing, type Workload } from './peer.ts';
import type { StepName } from './step-cases.ts';

/** The first steps allocate all that later ones use. */
const STEPS = 3;

const script = fileURLToPath(new URL('step-once.ts', import.meta.url));

async function ourBytes({ runtime }: BenchContext, name: StepName): Promise<number | null> {
  const args = ['--import', 'tsx', script, name, String(runtime.threads), String(STEPS)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  // As step-once.ts prints it.
  return (JSON.parse(stdout) as { readonly bytes: number | null }).bytes;
}

async function peerBytes(context: BenchContext, workload: Workload): Promise<number | null> {
  const peer = await context.freshPeer();
  if (isMissing(peer)) return null;
  try {
    await peer.build(workload);
    await peer.run(0, STEPS);
    return await peer.peakBytes();
  } finally {
    peer.close();
  }
}

/** `null` where memory is another device's, or the system does not tell it. */
export async function stepMemory(
  context: BenchContext,
  { name, workload }: { readonly name: StepName; readonly workload: Workload },
): Promise<PeakMemory | null> {
  if (context.runtime.provider !== 'cpu') return null;
  context.progress(`${name}: memory`);
  const bytes = await ourBytes(context, name);
  return bytes === null ? null : { bytes, peerBytes: await peerBytes(context, workload) };
}
