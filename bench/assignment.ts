import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AssignmentOptions, solveAssignment } from '../src/numerics/assignment.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { besidePeer } from './compare.ts';
import { type Contender, contender, interleave, type Timing } from './interleave.ts';
import { type LoomStep, loomSteps, type PointSet, squaredDistances } from './loom-sequence.ts';
import { isMissing, openScipy, type Peer } from './peer.ts';

/** Problems that one run goes through. */
const problemLimit = 16;

const forms: Readonly<Record<string, (step: LoomStep) => AssignmentOptions>> = {
  cold: () => ({}),
  pairing: ({ start: { rowToColumn } }) => ({ start: { rowToColumn } }),
  warm: ({ start }) => ({ start }),
};

/** Gives the peer the problems and the totals that it must find. */
async function buildPeer(peer: Peer, steps: readonly LoomStep[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-bench-'));
  try {
    const file = join(folder, 'problems.f32');
    for (const { costs } of steps) writeFileSync(file, new Uint8Array(costs.values.buffer), { flag: 'a' });
    const totals = steps.map(({ costs }) => solveAssignment(costs).total);
    await peer.build({ file, problems: steps.length, n: steps[0].costs.rows, totals });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Time of one problem, where a run solves several. */
function each(side: Contender, problems: number): Contender {
  return { run: async (untimed, count) => (await side.run(untimed, count)) / problems };
}

/** The same as the ratio, of the first quartiles: less disturbed by what else the machine does. */
function lowerQuartileRatio({ ours, peer }: Readonly<Record<string, Timing>>): number {
  return peer.quartilesMs[0] / ours.quartilesMs[0];
}

interface AssignmentCase extends PointSet {
  readonly batch: number;
  /** Which epoch's problems are solved, counted from 1; those of the first start from a random pairing. */
  readonly epoch: number;
  readonly form: keyof typeof forms;
  readonly onlyByName?: boolean;
}

function assignmentCase(
  name: string,
  { batch, epoch, form, onlyByName = false, ...points }: AssignmentCase,
): BenchCase {
  async function measure(context: BenchContext): Promise<CaseResult> {
    context.progress(`${name}: distances`);
    const distances = await squaredDistances(await context.openRuntime(), points);
    const steps = loomSteps(distances, { batch, epochs: epoch }).slice(0, problemLimit);
    const options = steps.map(forms[form]);
    const ours = contender(async () => {
      for (const [k, { costs }] of steps.entries()) solveAssignment(costs, options[k]);
    });
    const peer = await context.peer();
    if (!isMissing(peer)) await buildPeer(peer, steps);
    const sides = { ours: each(ours, steps.length), ...(isMissing(peer) ? {} : { peer: each(peer, steps.length) }) };
    const timings = await interleave(sides, {
      rounds: context.rounds ?? 15,
      turnMs: 200 / steps.length,
      progress: (text) => context.progress(`${name}: ${text}`),
    });
    return {
      ...besidePeer(name, peer, timings),
      details: {
        quartilesMs: timings.ours.quartilesMs,
        ...(isMissing(peer)
          ? {}
          : { peerQuartilesMs: timings.peer.quartilesMs, lowerQuartileRatio: lowerQuartileRatio(timings) }),
        turns: timings.ours.turns,
        problems: steps.length,
        keptPairs: steps.reduce((sum, { kept }) => sum + kept / steps.length, 0),
      },
    };
  }
  return { name, onlyByName, measure };
}

const sizes = [128, 256, 512, 1024];
const normal: PointSet = { targets: 'normal', points: 4096, dimensions: 3072 };
const structured: PointSet = { ...normal, targets: 'structured' };

/** Exact assignments, cold, and as LOOM's steps start them. */
export const assignment: Bench = {
  name: 'assignment',
  summary: 'exact linear assignment beside SciPy, cold and as LOOM goes on',
  notes:
    'Time of one problem: float32 squared distances between n targets and n sources, N(0, I), of 4096 in 3072 dimensions; SciPy is given them as ' +
    'float64. `cold` are those of the first epoch, without a start; `warm` those of the fourth, from the pairing and the duals that the sources ' +
    'kept; `pairing` the same from the pairing alone. Structured targets lie along 32 directions and are cut to [-1, 1].',
  openPeer: openScipy,
  cases: [
    ...sizes.map((n) => assignmentCase(`n${n}`, { ...normal, batch: n, epoch: 1, form: 'cold' })),
    ...sizes.map((n) => assignmentCase(`n${n}-warm`, { ...normal, batch: n, epoch: 4, form: 'warm' })),
    ...sizes.flatMap((n) => [
      assignmentCase(`n${n}-pairing`, { ...normal, batch: n, epoch: 4, form: 'pairing', onlyByName: true }),
      assignmentCase(`n${n}-structured`, { ...structured, batch: n, epoch: 1, form: 'cold', onlyByName: true }),
      assignmentCase(`n${n}-structured-warm`, { ...structured, batch: n, epoch: 4, form: 'warm', onlyByName: true }),
    ]),
    assignmentCase('tiny', {
      targets: 'structured',
      points: 128,
      dimensions: 24,
      batch: 32,
      epoch: 4,
      form: 'warm',
      onlyByName: true,
    }),
  ],
};
