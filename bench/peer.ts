/** The other side of a comparison: a Python process that builds a workload once and runs it when it is told to. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Provider } from '../src/engine/runtime.ts';
import { FlowError } from '../src/errors.ts';
import type { Contender } from './interleave.ts';

/** What a peer is to build; see peers/. */
export type Workload = Readonly<Record<string, unknown>>;

export interface Peer extends Contender {
  readonly name: string;
  readonly version: string;
  /** Replaces what `run` runs. @returns the number of the workload's parameters, and what it comes to where that is a list of numbers. */
  build(workload: Workload): Promise<{ readonly parameters: number; readonly results?: readonly number[] }>;
  /** Highest resident memory of its process so far, in bytes; `null` where the system does not tell it. */
  peakBytes(): Promise<number | null>;
  close(): void;
}

/** Why there is no peer. */
export interface MissingPeer {
  readonly reason: string;
}

export function isMissing(peer: Peer | MissingPeer): peer is MissingPeer {
  return 'reason' in peer;
}

/** What a peer computes with. */
export interface PeerMachine {
  readonly threads: number;
  /** Ours; a peer that knows devices takes a GPU for any but the CPU. */
  readonly provider: Provider;
}

export interface PeerOptions extends PeerMachine {
  readonly command: string;
  readonly arguments?: readonly string[];
}

/** Opens a peer in the given Python, or says why it is not there. */
export type PeerOpener = (python: string, machine: PeerMachine) => Promise<Peer | MissingPeer>;

function inPython(script: string): PeerOpener {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return async (python, { threads, provider }) => {
    if (python === 'none') return { reason: 'no Python was wanted' };
    return openPeer({ command: python, arguments: ['-u', path], threads, provider });
  };
}

export const openTorch = inPython('peers/torch_peer.py');
export const openScipy = inPython('peers/scipy_peer.py');

/** Starts the process and asks who it is. */
export async function openPeer({
  command,
  arguments: args = [],
  threads,
  provider,
}: PeerOptions): Promise<Peer | MissingPeer> {
  const child = spawn(command, args, { env: { ...process.env, OMP_NUM_THREADS: String(threads) } });
  const ask = conversation(child);
  try {
    const { name, version } = await ask({ op: 'hello', threads, device: provider === 'cpu' ? 'cpu' : 'gpu' });
    return {
      name: String(name),
      version: String(version),
      async build(workload) {
        const { parameters, results } = await ask({ op: 'build', workload });
        return { parameters: Number(parameters), ...(Array.isArray(results) ? { results: results.map(Number) } : {}) };
      },
      run: async (untimed, count) => Number((await ask({ op: 'run', untimed, count })).ms),
      async peakBytes() {
        const { bytes } = await ask({ op: 'memory' });
        return typeof bytes === 'number' ? bytes : null;
      },
      close: () => child.kill(),
    };
  } catch (error) {
    child.kill();
    return { reason: `\`${command}\`: ${error instanceof Error ? error.message : String(error)}` };
  }
}

type Answer = Readonly<Record<string, unknown>>;

/** Requests and answers, one JSON object a line. */
function conversation(child: ChildProcessWithoutNullStreams): (request: object) => Promise<Answer> {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const complaints: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.stdin.once('error', reject);
  });
  failed.catch(() => {});
  return async (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await Promise.race([lines.next(), failed]);
    if (line.done) throw new FlowError(`The peer ended. ${complaints.join('').trim().split('\n').at(-1) ?? ''}`);
    // Whatever it is, its fields are read one by one.
    const answer = JSON.parse(line.value) as Answer;
    if (typeof answer.error === 'string') throw new FlowError(answer.error);
    return answer;
  };
}
