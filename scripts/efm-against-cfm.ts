// Empirical flow matching against flow matching on `fashion`, at the same budget:
//   node --import tsx scripts/efm-against-cfm.ts <folder> [images] [--seeds 0,1,2] [--provider webgpu] [--train-only]
// Trains what is not yet trained in the folder, one run after the other, on one thread of the CPU unless another provider is named; then
// prints, over the seeds, the loss on held-out data against the exact field of the training set, and the variance of the losses of the last
// half of the batches.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fieldError } from '../src/analysis/field-error.ts';
import { openExactField, rowsOf } from '../src/experiments/exact-field.ts';
import { networkVelocity } from '../src/experiments/network-velocity.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { runner } from '../src/experiments/run.ts';
import { openRunModel, openTrainedRun, withSampler } from '../src/experiments/trained-run.ts';
import { estimateMean } from '../src/numerics/estimate.ts';
import { normalsFromSeeds } from '../src/numerics/normal.ts';

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '0,1,2' },
    provider: { type: 'string', default: 'cpu' },
    'train-only': { type: 'boolean', default: false },
  },
});
const [folder = 'runs/efm-against-cfm', images = '28800'] = positionals;

/** Targets by name; M data in a bank. */
const targets = {
  conditional: '{"kind":"conditional"}',
  'efm-128': '{"kind":"efm","candidates":128}',
  'efm-256': '{"kind":"efm","candidates":256}',
  'efm-1000': '{"kind":"efm","candidates":1000}',
};
const seeds = flags.seeds.split(',').map(Number);

function configOf(target: keyof typeof targets, seed: number) {
  return readConfig('fashion-unet', {
    seed,
    set: [
      'model.labels=false',
      'sampling.guidance=null',
      `training.images=${images}`,
      'training.log.everyImages=64',
      'training.validation.everyImages=null',
      'training.checkpoint.everyImages=null',
      `runtime.provider=${flags.provider}`,
      'runtime.threads=1',
      'runtime.spinning=false',
      `target=${targets[target]}`,
    ],
  });
}

for (const seed of seeds) {
  for (const target of Object.keys(targets) as (keyof typeof targets)[]) {
    const directory = join(folder, `${target}-${seed}`);
    const resume = existsSync(join(directory, 'config.json'));
    const { seconds, validation } = await runner.train({
      config: configOf(target, seed),
      directory,
      resume,
      signal: new AbortController().signal,
      onEvent: () => {},
    });
    console.error(`${target} ${seed}: ${seconds.toFixed(0)} s, held-out loss ${validation?.loss.toFixed(4)}`);
  }
}

if (flags['train-only']) process.exit();

/** Times at which networks are held against the exact field, and held-out images with a noise each. */
const times = Array.from({ length: 20 }, (_, k) => (k + 0.5) / 20);
const pairs = 512;

const { data } = await openRunModel(configOf('conditional', 0));
const heldOut = (await data.heldOut(pairs))!;
const { elements } = data.rows;
const source = normalsFromSeeds(
  Uint32Array.from({ length: pairs }, (_, i) => i),
  elements,
);
const { provider } = configOf('conditional', 0).runtime;
const exact = await openExactField(rowsOf(data.rows), { runtime: { provider } });

/** Mean squared errors of a run's averaged network against the exact field, one a time. */
async function errorsOf(directory: string): Promise<number[]> {
  const run = await openTrainedRun(directory);
  const { model } = await openRunModel(run.config);
  const options = { model, group: 'ema', batch: 64, runtime: { ...run.config.runtime, threads: 1 } } as const;
  return withSampler(run, options, async (sampler) => {
    const fields = {
      field: networkVelocity(sampler),
      reference: async (x: Float32Array, time: Float64Array) => (await exact.evaluate(x, time)).velocity,
    };
    const errors = await fieldError(fields, { source, target: heldOut.target, elements, times });
    return errors.map(({ error }) => error.mean);
  });
}

interface LoggedStep {
  readonly kind: string;
  readonly imagesSeen: number;
  readonly loss: number;
}

/** Variance of the losses of batches in the last half of a run. */
function lossVariance(directory: string): number {
  const lines = readFileSync(join(directory, 'log.jsonl'), 'utf8').trim().split('\n');
  // As the run wrote them.
  const steps = lines.map((line) => JSON.parse(line) as LoggedStep).filter(({ kind }) => kind === 'step');
  const losses = steps.filter(({ imagesSeen }) => imagesSeen > Number(images) / 2).map(({ loss }) => loss);
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  return losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (losses.length - 1);
}

function shown(values: readonly number[], digits: number): string {
  const { mean, standardError } = estimateMean(values);
  return `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}

console.log('target | error, t < 0.5 | error, t > 0.5 | error, t < 0.8 | variance of batch losses x 1e4');
for (const target of Object.keys(targets)) {
  const runs = seeds.map((seed) => join(folder, `${target}-${seed}`));
  const errors: number[][] = [];
  for (const run of runs) errors.push(await errorsOf(run));
  const over = (from: number, to: number) =>
    errors.map((values) => {
      const chosen = values.filter((_, k) => times[k]! > from && times[k]! < to);
      return chosen.reduce((sum, value) => sum + value, 0) / chosen.length;
    });
  const variances = runs.map((run) => 1e4 * lossVariance(run));
  const cells = [shown(over(0, 0.5), 5), shown(over(0.5, 1), 4), shown(over(0, 0.8), 5), shown(variances, 3)];
  console.log([target, ...cells].join(' | '));
}
exact.release();
