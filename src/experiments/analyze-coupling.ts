/** Looks into the couplings of trained runs: what pairs cost, how many are reassigned, and how far they are from the optimum. */
import { transportBound } from '../analysis/transport-bound.ts';
import { exactPairs, transportOptimum } from '../analysis/transport-optimum.ts';
import type { Coupling, KeptPairs, WholeCost } from '../coupling/coupling.ts';
import { alignedCosts, type CostKind } from '../coupling/transport-cost.ts';
import { type CouplingData, wholeCostOf } from '../coupling/whole-cost.ts';
import { estimateMean } from '../numerics/estimate.ts';
import { stream } from '../numerics/stream.ts';
import { readGroup } from '../training/preparation.ts';
import { readCouplingState } from '../training/trainer-state.ts';
import { type CouplingTools, pairedImages } from './build.ts';
import { writeCouplingFiles } from './coupling-files.ts';
import type { CouplingAnalysis, CouplingOutcome, CouplingRequest, OptimumResult } from './coupling-request.ts';
import { openCoupling } from './coupling-setup.ts';
import { openRunData, type RunData } from './run-data.ts';
import { readLog, runDirectory } from './run-directory.ts';
import { namesOfRuns, runFolderOf } from './run-path.ts';
import { openTrainedRun, type TrainedRun } from './trained-run.ts';

/** What of a run the parts of its analysis need. */
interface OpenedCoupling extends TrainedRun {
  readonly directory: string;
  readonly name: string;
  readonly data: RunData;
  readonly coupling: Coupling;
  readonly tools: CouplingTools;
  readonly cost: CostKind;
}

/** Costs of the next batches, paired as training would go on. */
async function measureBatches(
  { config, checkpoint, data, coupling, cost: kind, name }: OpenedCoupling,
  { batches, signal, onEvent }: CouplingRequest,
): Promise<CouplingAnalysis['batches']> {
  const rows = pairedImages(config);
  // Whole groups from the next one on: one that was broken off would be paired again from its beginning.
  const start = Math.ceil(checkpoint.facts.imagesSeen / rows) * rows + (coupling.preliminaryImages ?? 0);
  const source = data.open(start);
  const costs: number[] = [];
  const reassigned: number[] = [];
  const began = performance.now();
  try {
    for (let done = 0; done < batches; done++) {
      signal.throwIfAborted();
      const batch = await readGroup(source, rows);
      const pairing = await coupling.pair(batch, { seed: config.seed, imagesSeen: start + done * rows });
      pairing.commit?.();
      const { elements } = data.rows;
      costs.push(pairing.report?.cost ?? estimateMean(alignedCosts(kind, { ...pairing, elements })).mean);
      if (pairing.report !== null) reassigned.push(pairing.report.reassigned);
      const secondsLeft = ((performance.now() - began) / 1000 / (done + 1)) * (batches - done - 1);
      onEvent({ kind: 'work', what: name, done: done + 1, count: batches, unit: 'batches', secondsLeft });
    }
  } finally {
    await source.close();
  }
  return { rows, cost: estimateMean(costs), reassigned: reassigned.length === 0 ? null : estimateMean(reassigned) };
}

/** Each datum with a noise that no training has used, for couplings that keep none. */
function freshPairs({ count, mirrored }: CouplingData, seed: number): KeptPairs {
  const pairs = mirrored ? 2 * count : count;
  const words = stream(seed, 'analysis-noise');
  const rows = Uint32Array.from({ length: pairs }, (_, pair) => pair % count);
  return {
    rows,
    flipped: Uint8Array.from(rows, (_, pair) => Math.floor(pair / count)),
    seeds: rows.map(() => words.uint32()),
  };
}

/** Passes over the noises at most, and the gain per doubling at which more are not worth their time, where the optimum is bounded. */
const boundLimits = { passes: 16, tolerance: 1e-4 } as const;

/** The optimum beside what the run's pairs cost: exact, or bounded from below where there are too many; null where neither is known. */
async function measureOptimum(
  { config, coupling, data, tools, cost, name }: OpenedCoupling,
  present: number,
  { signal, onEvent }: CouplingRequest,
): Promise<OptimumResult | null> {
  const pairs = coupling.kept?.() ?? freshPairs(data.rows, config.seed);
  const count = pairs.seeds.length;
  const kind = count <= exactPairs ? 'exact' : 'lower bound';
  // The dual is written for the squared distance.
  if (kind === 'lower bound' && cost !== 'squared') return null;
  signal.throwIfAborted();
  onEvent({ kind: 'note', text: `${name}: ${kind === 'exact' ? 'exact optimum' : 'lower bound'} of ${count} pairs` });
  const began = performance.now();
  const { seeds } = pairs;
  const { openProducts } = tools;
  const least =
    kind === 'exact'
      ? (await transportOptimum(pairs, { data: data.rows, cost, tools })).cost
      : (await transportBound({ seeds, data: data.rows, openProducts, ...boundLimits })).bound;
  const seconds = (performance.now() - began) / 1000;
  return { kind, pairs: count, cost: least, gap: present - least, seconds };
}

/** Exact cost of what is kept, or the sample of a coupling that keeps no noise. */
async function measureWhole(
  { config, coupling, data, cost }: OpenedCoupling,
  kept: KeptPairs | null,
): Promise<WholeCost | null> {
  if (kept === null) return (await coupling.wholeCost?.()) ?? null;
  return wholeCostOf(kept, { data: data.rows, seed: config.seed, cost, pairs: Number.POSITIVE_INFINITY });
}

async function analyzeRun(opened: OpenedCoupling, request: CouplingRequest): Promise<CouplingAnalysis> {
  const { directory, name, config, checkpoint, data, coupling, cost } = opened;
  const { imagesSeen } = checkpoint.facts;
  const kept = coupling.kept?.() ?? null;
  const { rows } = data;
  const whole = await measureWhole(opened, kept);
  const optimumOf = (present: number) => (request.optimum ? measureOptimum(opened, present, request) : null);
  // What is kept is compared as the checkpoint has it, before more batches are paired.
  const keptOptimum = whole === null ? null : await optimumOf(whole.cost);
  const batches = await measureBatches(opened, request);
  return {
    directory,
    name,
    coupling: config.coupling,
    imagesSeen,
    data: rows.count * (rows.mirrored ? 2 : 1),
    elements: rows.elements,
    cost,
    batches,
    whole,
    seeds: kept === null ? null : kept.seeds.length,
    optimum: whole === null ? await optimumOf(batches.cost.mean) : keptOptimum,
    history: readLog(runDirectory(runFolderOf(directory))).flatMap((event) =>
      event.kind === 'step' && event.pairing !== undefined && event.imagesSeen <= imagesSeen
        ? [{ imagesSeen: event.imagesSeen, ...event.pairing }]
        : [],
    ),
  };
}

/** Opens a run's coupling as its checkpoint has it, for as long as `use` takes. */
async function withCoupling<T>(
  run: TrainedRun & { readonly directory: string; readonly name: string },
  use: (opened: OpenedCoupling) => Promise<T>,
): Promise<T> {
  const { config, checkpoint } = run;
  const data = await openRunData(config);
  const setup = openCoupling(config, data);
  const cost = 'cost' in config.coupling ? config.coupling.cost : 'squared';
  try {
    // Refuses noise seeds that are not those that were drawn.
    setup.coupling.restore(await readCouplingState(checkpoint));
    return await use({ ...run, ...setup, data, cost });
  } finally {
    await setup.close();
  }
}

/**
 * Analyses the couplings of runs, one after the other, and writes the results as files.
 * @throws ConfigError if there is no such run; CheckpointError if one has no whole checkpoint, or its noise seeds are not those drawn.
 */
export async function analyzeCoupling(request: CouplingRequest): Promise<CouplingOutcome> {
  const started = performance.now();
  const names = namesOfRuns(request.runs);
  const opened: TrainedRun[] = [];
  for (const directory of request.runs) opened.push(await openTrainedRun(directory));
  const runs: CouplingAnalysis[] = [];
  for (const [i, run] of opened.entries()) {
    const named = { ...run, directory: request.runs[i]!, name: names[i]! };
    runs.push(await withCoupling(named, (coupling) => analyzeRun(coupling, request)));
  }
  const paths = writeCouplingFiles(request.outDirectory, runs);
  return { runs, seconds: (performance.now() - started) / 1000, paths };
}
