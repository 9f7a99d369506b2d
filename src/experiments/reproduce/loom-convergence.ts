/** Figures 9 to 12 of LOOM-CFM [davtyan:25] without a network: how the coupling of a set improves, batch by batch. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { type SimulatedEpoch, simulateCoupling } from '../../analysis/coupling-simulation.ts';
import { exactPairs, type TransportOptimum, transportOptimum } from '../../analysis/transport-optimum.ts';
import type { Coupling, CouplingBatch } from '../../coupling/coupling.ts';
import { drawSeeds } from '../../coupling/seed-cache.ts';
import { wholeCostOf } from '../../coupling/whole-cost.ts';
import { lineChart } from '../../report/line-chart.ts';
import { buildCoupling, type CouplingTools } from '../build.ts';
import type { RunConfig } from '../config.ts';
import { openPairingTools } from '../coupling-setup.ts';
import { writeWhole } from '../run-directory.ts';
import { couplingSection } from '../schema/coupling-section.ts';
import { type OpenCouplingData, openCouplingData } from './coupling-data.ts';
import { convergenceLines, judgeConvergence } from './loom-convergence-report.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext, Scale } from './reproduction.ts';

/** A coupling at work. */
export interface SimulatedCoupling {
  readonly name: string;
  readonly coupling: RunConfig['coupling'];
  readonly batch: number;
  readonly epochs: number;
}

/** What was measured of one. */
export interface SimulatedRun extends SimulatedCoupling {
  readonly history: readonly SimulatedEpoch[];
  readonly seconds: number;
}

/** All that the numbers depend on. */
export interface ConvergenceSettings {
  readonly seed: number;
  readonly source: string;
  /** Images from the start of the set; `null` for all. */
  readonly count: number | null;
  readonly couplings: readonly SimulatedCoupling[];
}

const loomEpochs: { readonly [S in Scale]: number } = { laptop: 30, paper: 1000 };

/** A coupling with the defaults of its kind. */
function simulated(coupling: z.input<typeof couplingSection>, batch: number, epochs: number): SimulatedCoupling {
  const complete = couplingSection.parse(coupling);
  const caches = complete.kind === 'loom' ? `, ${complete.caches} ${complete.caches === 1 ? 'cache' : 'caches'}` : '';
  return { name: `${complete.kind}, batch ${batch}${caches}`, coupling: complete, batch, epochs };
}

/** The couplings to be compared: the paper varies the batch (figures 9, 10) and the caches (figures 11, 12). */
function couplingsFor(epochs: number): SimulatedCoupling[] {
  return [
    simulated({ kind: 'independent' }, 128, 2),
    simulated({ kind: 'minibatch-ot' }, 128, 2),
    simulated({ kind: 'loom' }, 32, epochs),
    simulated({ kind: 'loom' }, 64, epochs),
    simulated({ kind: 'loom' }, 128, epochs),
    simulated({ kind: 'loom', caches: 4 }, 128, epochs),
    simulated({ kind: 'semidiscrete' }, 128, 2),
  ];
}

/** The figures on the first 10,000 images of a set; the paper has CIFAR-10, and gives no numbers. */
export const loomConvergence: Reproduction = ({ scale, seed, data }) =>
  prepareConvergence({
    seed,
    source: data ?? 'fashion',
    count: exactPairs,
    couplings: couplingsFor(loomEpochs[scale]),
  });

/** Exact cost of all pairs that a coupling keeps; `null` where it keeps none. */
function exactCost({ kept }: Coupling, { data }: OpenCouplingData, seed: number): (() => Promise<number>) | null {
  if (kept === undefined) return null;
  const options = { data, seed, cost: 'squared', pairs: Number.POSITIVE_INFINITY } as const;
  return async () => (await wholeCostOf(kept(), options)).cost;
}

/** The reproduction with settings of one's own. */
export function prepareConvergence(settings: ConvergenceSettings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const began = performance.now();
      const opened = await openCouplingData(settings.source, settings.count);
      const { tools, close } = openPairingTools();
      try {
        const runs = await simulateAll(settings, opened, { tools, ...context });
        const optimum = await optimumOf(settings, opened, { tools, ...context });
        const verdict = judgeConvergence(runs);
        const seconds = (performance.now() - began) / 1000;
        const { count, elements } = opened.data;
        const result = { ...settings, count, elements, seconds, optimum, claims: verdict, runs };
        return {
          lines: convergenceLines(runs, optimum, { ...verdict, count, elements }),
          agrees: Object.values(verdict).every(Boolean),
          paths: writeFiles(context, runs, result),
          result,
        };
      } finally {
        await close();
      }
    },
  };
}

type Surroundings = Pick<ReproductionContext, 'signal' | 'onEvent'> & { readonly tools: CouplingTools };

/** Does the work before a coupling's first batch. */
async function prepareCoupling(
  { preliminary }: Coupling,
  next: () => Promise<CouplingBatch>,
  { name, signal, onEvent }: Omit<Surroundings, 'tools'> & { readonly name: string },
): Promise<void> {
  const began = performance.now();
  while (preliminary !== undefined && preliminary.done < preliminary.total) {
    signal.throwIfAborted();
    await preliminary.advance(next);
    const { done, total } = preliminary;
    const secondsLeft = (((performance.now() - began) / 1000) * (total - done)) / done;
    onEvent({ kind: 'work', what: `${name}: fit`, done, count: total, unit: 'noises', secondsLeft });
  }
}

async function simulateAll(
  { seed, couplings }: ConvergenceSettings,
  opened: OpenCouplingData,
  { tools, signal, onEvent }: Surroundings,
): Promise<SimulatedRun[]> {
  const { data } = opened;
  const images = couplings.reduce((sum, { epochs }) => sum + epochs * data.count, 0);
  let before = 0;
  let workedSeconds = 0;
  const runs: SimulatedRun[] = [];
  for (const simulation of couplings) {
    const { name, batch, epochs } = simulation;
    const started = performance.now();
    const training = { batchSize: batch, accumulate: 1 };
    const coupling = buildCoupling({ ...simulation, seed, training }, { data, tools });
    const { next, close } = opened.batches(seed, batch);
    await prepareCoupling(coupling, next, { name, signal, onEvent });
    const history: SimulatedEpoch[] = [];
    const pairing = performance.now();
    const onBatch = (own: number) => {
      const done = before + own;
      const seconds = workedSeconds + (performance.now() - pairing) / 1000;
      const secondsLeft = (seconds * (images - done)) / done;
      onEvent({ kind: 'work', what: name, done, count: images, unit: 'images', secondsLeft });
    };
    const wholeCost = exactCost(coupling, opened, seed);
    const options = {
      seed,
      epochs,
      batch,
      count: data.count,
      cost: 'squared',
      next,
      wholeCost,
      signal,
      onBatch,
    } as const;
    for await (const epoch of simulateCoupling(coupling, options)) history.push(epoch);
    await close();
    before += epochs * data.count;
    workedSeconds += (performance.now() - pairing) / 1000;
    runs.push({ ...simulation, history, seconds: (performance.now() - started) / 1000 });
  }
  return runs;
}

/** The cheapest pairing of all data with one noise each, those of the couplings that keep one. */
async function optimumOf(
  { seed }: ConvergenceSettings,
  { data }: OpenCouplingData,
  { tools, signal, onEvent }: Surroundings,
): Promise<(Pick<TransportOptimum, 'cost'> & { readonly seconds: number }) | null> {
  if (data.count > exactPairs) return null;
  signal.throwIfAborted();
  onEvent({ kind: 'note', text: `exact optimum of ${data.count} pairs` });
  const began = performance.now();
  const pairs = {
    seeds: drawSeeds(data.count, seed),
    rows: Uint32Array.from({ length: data.count }, (_, row) => row),
    flipped: new Uint8Array(data.count),
  };
  const { cost } = await transportOptimum(pairs, { data, cost: 'squared', tools });
  return { cost, seconds: (performance.now() - began) / 1000 };
}

const csvHeader = 'name,kind,batch,epoch,batch_cost,batch_cost_standard_error,reassigned,whole_cost';

function csvOf(runs: readonly SimulatedRun[]): string {
  const rows = runs.flatMap(({ name, coupling: { kind }, batch, history }) =>
    history.map(({ epoch, batchCost, standardError, reassigned, wholeCost }) =>
      [JSON.stringify(name), kind, batch, epoch, batchCost, standardError, reassigned, wholeCost ?? ''].join(','),
    ),
  );
  return `${[csvHeader, ...rows].join('\n')}\n`;
}

function chart(
  runs: readonly SimulatedRun[],
  yLabel: string,
  { title, of }: { readonly title: string; readonly of: (epoch: SimulatedEpoch, run: SimulatedRun) => number },
) {
  const series = runs
    .filter(({ coupling }) => coupling.kind === 'loom')
    .map((run) => ({
      name: run.name,
      x: run.history.map(({ epoch }) => epoch),
      y: run.history.map((epoch) => of(epoch, run)),
    }));
  return lineChart(series, { title, xLabel: 'epochs', yLabel });
}

function writeFiles(
  { directory }: ReproductionContext,
  runs: readonly SimulatedRun[],
  result: Readonly<Record<string, unknown>>,
): string[] {
  mkdirSync(directory, { recursive: true });
  const files = {
    'convergence.json': `${JSON.stringify(result, null, 2)}\n`,
    'convergence.csv': csvOf(runs),
    'reassignments.svg': chart(runs, 'share of a batch that is reassigned', {
      title: 'Reassignments (figures 9 and 11)',
      of: ({ reassigned }, { batch }) => reassigned / batch,
    }),
    'cost.svg': chart(runs, 'squared distance per pair', {
      title: 'Transport cost of the batches (figures 10 and 12)',
      of: ({ batchCost }) => batchCost,
    }),
  };
  return Object.entries(files).map(([name, text]) => {
    const path = join(directory, name);
    writeWhole(path, text);
    return path;
  });
}
