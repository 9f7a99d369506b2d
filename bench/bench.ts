/** What a benchmark is: named cases that are measured one after another, and the record of each. */
import type { NativeRuntime } from '../src/engine/native/native-runtime.ts';
import type { RuntimeOptions } from '../src/engine/runtime.ts';
import type { MissingPeer, Peer, PeerOpener } from './peer.ts';

/** The competitor's time for the same work, measured in turn with ours. */
export interface PeerResult {
  readonly name: string;
  readonly version: string;
  readonly ms: number;
}

/** Highest resident memory of a process that does nothing but the case: program, libraries and everything allocated. */
export interface PeakMemory {
  readonly bytes: number;
  /** `null` where there is no peer. */
  readonly peerBytes: number | null;
}

export interface CaseResult {
  readonly case: string;
  /** Median of a run. */
  readonly ms: number;
  /** Work done in a second; `null` where operations are not what is measured. See flops.ts for what counts. */
  readonly gflops: number | null;
  /** `gflops` over that of a float32 product of 1024 x 1024 matrices by the same engine, measured in turn with the case. */
  readonly fractionOfGemm: number | null;
  readonly peer: PeerResult | null;
  /** Why there is no peer; absent where there is one. */
  readonly reason?: string;
  /** The peer's time over ours: above 1, ours is faster. */
  readonly ratioToPeer: number | null;
  /** Absent where memory is not what is measured; `null` where the system does not tell it. */
  readonly memory?: PeakMemory | null;
  /** Other measured values, with their unit in the name. */
  readonly details: Readonly<Record<string, number | string | readonly number[]>>;
}

export interface BenchContext {
  /** Options of the runtime to measure. */
  readonly runtime: Required<Pick<RuntimeOptions, 'provider' | 'threads' | 'spinning'>>;
  /** A runtime, released after the case; default options are those of `runtime`. */
  openRuntime(options?: RuntimeOptions): Promise<NativeRuntime>;
  /** The peer, started when it is first asked for. */
  peer(): Promise<Peer | MissingPeer>;
  /** Another process of the peer, with nothing built yet; the caller closes it. */
  freshPeer(): Promise<Peer | MissingPeer>;
  /** Turns that each side gets; `null` leaves it to the case. */
  readonly rounds: number | null;
  /** Says what is going on. */
  progress(text: string): void;
}

export interface BenchCase {
  readonly name: string;
  /** Whether the case runs only when it is asked for by name. */
  readonly onlyByName?: boolean;
  measure(context: BenchContext): Promise<CaseResult>;
}

export interface Bench {
  readonly name: string;
  /** One line for the list of benches. */
  readonly summary: string;
  /** What is measured and counted, in a sentence or two under the table. */
  readonly notes: string;
  readonly cases: readonly BenchCase[];
  /** Starts the peer; PyTorch by default. */
  readonly openPeer?: PeerOpener;
}
