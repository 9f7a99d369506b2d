/** A workload by the engine, by the peer and, as a yardstick, a plain matrix product, in turns. */
import type { Runtime } from '../src/engine/runtime.ts';
import { FlowError } from '../src/errors.ts';
import type { BenchContext, CaseResult, PeerResult } from './bench.ts';
import { gigaflops } from './flops.ts';
import { type Contender, interleave, type Timing } from './interleave.ts';
import { matrixProduct, yardstick } from './matrix-product.ts';
import { isMissing, type MissingPeer, type Peer, type Workload } from './peer.ts';

export interface Comparison {
  readonly name: string;
  readonly runtime: Runtime;
  readonly ours: Contender;
  /** Operations of one run. */
  readonly flops: number;
  /** The same work for the peer. */
  readonly workload: Workload;
  /** Parameters of the model, 0 for none: the peer's must be as many. */
  readonly parameters: number;
  /** Turns of each side where the command line names no number. */
  readonly rounds: number;
  readonly details?: CaseResult['details'];
}

async function buildPeer(context: BenchContext, { workload, parameters }: Comparison): Promise<Peer | MissingPeer> {
  const peer = await context.peer();
  if (isMissing(peer)) return peer;
  const built = await peer.build(workload);
  if (built.parameters === parameters) return peer;
  throw new FlowError({
    expected: `the peer's model to have ${parameters} parameters like ours`,
    got: `${built.parameters}`,
    where: 'bench/compare',
  });
}

/** What a case says of ours and of the peer, where no operations are counted. */
export function besidePeer(
  name: string,
  peer: Peer | MissingPeer,
  { ours, peer: theirs }: Readonly<Record<string, Timing>>,
): Omit<CaseResult, 'details'> {
  const measured = { case: name, ms: ours.ms, gflops: null, fractionOfGemm: null };
  if (isMissing(peer)) return { ...measured, peer: null, reason: peer.reason, ratioToPeer: null };
  const result: PeerResult = { name: peer.name, version: peer.version, ms: theirs.ms };
  return { ...measured, peer: result, ratioToPeer: theirs.ms / ours.ms };
}

/** Median times of the three, and what follows from them. */
export async function compare(context: BenchContext, comparison: Comparison): Promise<CaseResult> {
  const { name, runtime, ours, flops, rounds } = comparison;
  const gemm = await matrixProduct(runtime, yardstick);
  const peer = await buildPeer(context, comparison);
  const sides = { ours, gemm, ...(isMissing(peer) ? {} : { peer }) };
  const timings = await interleave(sides, {
    rounds: context.rounds ?? rounds,
    progress: (text) => context.progress(`${name}: ${text}`),
  });
  gemm.release();
  const rate = gigaflops(flops, timings.ours.ms);
  const gemmRate = gigaflops(gemm.flops, timings.gemm.ms);
  return {
    ...besidePeer(name, peer, timings),
    gflops: rate,
    fractionOfGemm: rate / gemmRate,
    details: {
      quartilesMs: timings.ours.quartilesMs,
      ...(isMissing(peer) ? {} : { peerQuartilesMs: timings.peer.quartilesMs }),
      turns: timings.ours.turns,
      runsPerTurn: timings.ours.runsPerTurn,
      gemmGflops: gemmRate,
      gflop: flops / 1e9,
      ...comparison.details,
    },
  };
}
