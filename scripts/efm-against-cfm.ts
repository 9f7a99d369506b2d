// Empirical flow matching against flow matching on `fashion`, at the same budget: node --import tsx scripts/efm-against-cfm.ts <folder> [images]
// Trains what is not yet trained in the folder, one run after the other on one thread.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '../src/experiments/read-config.ts';
import { runner } from '../src/experiments/run.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const [folder = 'runs/efm-against-cfm', images = '28800'] = positionals;

/** Targets by name; M data in a bank. */
const targets = {
  conditional: '{"kind":"conditional"}',
  'efm-128': '{"kind":"efm","candidates":128}',
  'efm-256': '{"kind":"efm","candidates":256}',
  'efm-1000': '{"kind":"efm","candidates":1000}',
};
const seeds = [0, 1, 2];

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
