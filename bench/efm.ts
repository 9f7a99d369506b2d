/** What empirical targets add to the time of a training step that prepares the next batch meanwhile, as the training loop does. */
import { independentCoupling } from '../src/coupling/independent.ts';
import type { NativeRuntime } from '../src/engine/native/native-runtime.ts';
import type { RunConfig } from '../src/experiments/config.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { openRunData, type RunData } from '../src/experiments/run-data.ts';
import { openTarget } from '../src/experiments/target-setup.ts';
import { modelFor, trainerOptions } from '../src/experiments/trainer-setup.ts';
import { openSteps } from '../src/training/preparation.ts';
import { createTrainer } from '../src/training/trainer.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { type Contender, interleave, median } from './interleave.ts';
import { steadySteps } from './steady-steps.ts';

interface EfmCase {
  /** Preset whose data, network and batch are used. */
  readonly preset: string;
  readonly candidates: number;
  readonly bank: 'per-sample' | 'shared';
  readonly rounds: number;
}

/** A config without labels, so that all data are candidates. */
function configOf({ preset, candidates, bank }: EfmCase, kind: 'conditional' | 'efm'): RunConfig {
  const target = kind === 'conditional' ? { kind } : { kind, candidates, bank };
  const set = ['sampling.guidance=null', 'model.labels=false', `target=${JSON.stringify(target)}`];
  return readConfig(preset, { set, seed: 0 });
}

/** Steps of a config, and how to end them. */
interface OpenSteps extends Contender {
  /** Time to prepare a batch while no step runs. */
  prepareMs(): Promise<number>;
  close(): Promise<void>;
}

async function openTraining(runtime: NativeRuntime, config: RunConfig, data: RunData): Promise<OpenSteps> {
  const target = openTarget(config, data);
  const parts = { model: modelFor(config, data), coupling: independentCoupling(), pairingSteps: 1, efm: target.efm };
  const options = trainerOptions(runtime, config, parts);
  const trainer = await createTrainer(options);
  const open = () => openSteps(data.open, { imagesSeen: 0, images: Number.POSITIVE_INFINITY }, options);
  const steps = open();
  return {
    ...steadySteps(trainer, steps.step),
    async prepareMs() {
      const idle = open();
      const times: number[] = [];
      for (let step = 0; step < 20; step++) {
        const start = performance.now();
        await idle.step(step * trainer.imagesPerStep);
        if (step >= 5) times.push(performance.now() - start);
      }
      await idle.close();
      return median(times);
    },
    async close() {
      await steps.close();
      trainer.release();
      await target.close();
    },
  };
}

async function measure(context: BenchContext, name: string, options: EfmCase): Promise<CaseResult> {
  const runtime = await context.openRuntime();
  context.progress(`${name}: data and compiling`);
  const data = await openRunData(configOf(options, 'efm'));
  const conditional = await openTraining(runtime, configOf(options, 'conditional'), data);
  const efm = await openTraining(runtime, configOf(options, 'efm'), data);
  const timings = await interleave(
    { conditional, efm },
    { rounds: context.rounds ?? options.rounds, progress: (text) => context.progress(`${name}: ${text}`) },
  );
  const prepareMs = [await conditional.prepareMs(), await efm.prepareMs()];
  await conditional.close();
  await efm.close();
  const ratio = timings.conditional.ms / timings.efm.ms;
  return {
    case: name,
    ms: timings.efm.ms,
    gflops: null,
    fractionOfGemm: null,
    peer: { name: 'flow matching', version: 'in the same steps', ms: timings.conditional.ms },
    ratioToPeer: ratio,
    details: {
      slowerPercent: 100 * (1 / ratio - 1),
      quartilesMs: timings.efm.quartilesMs,
      conditionalQuartilesMs: timings.conditional.quartilesMs,
      turns: timings.efm.turns,
      prepareMs: prepareMs[1],
      conditionalPrepareMs: prepareMs[0],
      candidates: options.candidates,
      images: data.count,
    },
  };
}

function efmCase(name: string, options: EfmCase, onlyByName = false): BenchCase {
  return { name, onlyByName, measure: (context) => measure(context, name, options) };
}

const fashion = { preset: 'fashion-unet', bank: 'per-sample', rounds: 40 } as const;

/** Steps with empirical targets beside steps of flow matching. */
export const efm: Bench = {
  name: 'efm',
  summary:
    'training steps of fashion-unet (batch 64, no labels) with targets of empirical flow matching beside those of flow matching',
  notes:
    'Two trainers take steps in turns, each with the preparation of its next batch: loader, noise and, for the one, banks, weights and ' +
    'corrections. The ratio is that of flow matching over empirical flow matching: 0.98 is 2 % slower. prepareMs is the time of the ' +
    'preparation alone, while no step runs.',
  cases: [
    efmCase('fashion-128', { ...fashion, candidates: 128 }),
    efmCase('fashion-256', { ...fashion, candidates: 256 }),
    efmCase('fashion-1000', { ...fashion, candidates: 1000 }),
    efmCase('fashion-256-shared', { ...fashion, candidates: 256, bank: 'shared' }),
    efmCase('fashion-128-shared', { ...fashion, candidates: 128, bank: 'shared' }, true),
    efmCase('fashion-1000-shared', { ...fashion, candidates: 1000, bank: 'shared' }, true),
    efmCase('fashion-all', { ...fashion, candidates: 9000 }, true),
    efmCase('two-moons', { preset: 'two-moons-mlp', bank: 'per-sample', candidates: 16, rounds: 5 }, true),
  ],
};
