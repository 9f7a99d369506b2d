/**
 * One training step at batch 1 of a preset at paper scale, on made-up data; of a preset in stages, one step of each training and all else:
 * `node --import tsx scripts/paper-scale-step.ts <preset>` prints losses, time and peak memory as a line of JSON.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnyConfig } from '../src/experiments/any-config.ts';
import { readAnyConfig } from '../src/experiments/read-config.ts';
import { runner } from '../src/experiments/run.ts';
import type { RunEvent } from '../src/experiments/run-types.ts';
import type { NpyArray } from '../src/formats/npy.ts';
import { writeNpz } from '../src/formats/npz.ts';
import { stream } from '../src/numerics/stream.ts';
import { paperScalePresets } from './paper-scale-presets.ts';

const [name = ''] = process.argv.slice(2);
const madeUp = paperScalePresets[name];
if (madeUp === undefined) throw new Error(`Expected a preset at paper scale; got ${name}`);

/** Data in the file: the couplings want more than one. */
const COUNT = 8;

/** Images of noise, or normal latents; the last label is the greatest, so that all classes are known. */
function arrays(config: AnyConfig): Map<string, NpyArray> {
  const random = stream(0, 'paper-scale-step', 0);
  const { data } = 'stages' in config ? config.stages.flow : config;
  const classes = data.kind === 'latents' ? data.classes : (madeUp!.classes ?? null);
  const axes = data.kind === 'latents' ? data.shape : [madeUp!.channels ?? 3, madeUp!.side!, madeUp!.side!];
  const shape = [COUNT, ...axes];
  const length = shape.reduce((product, size) => product * size, 1);
  const x: NpyArray =
    data.kind === 'latents'
      ? { dtype: 'float32', shape, data: Float32Array.from({ length }, () => random.normal()) }
      : { dtype: 'uint8', shape, data: Uint8Array.from({ length }, () => 256 * random.uniformFloat32()) };
  const labels = Int32Array.from({ length: COUNT }, (_, i) => (i === COUNT - 1 ? (classes ?? 1) - 1 : 0));
  const made = new Map<string, NpyArray>([['x', x]]);
  if (classes !== null) made.set('y', { dtype: 'int32', shape: [COUNT], data: labels });
  return made;
}

/** A training as the preset says, of one step at batch 1 on the file. */
function oneStep(prefix: string, source: string, hasImages: boolean): string[] {
  return [
    `data.source=${source}`,
    ...(hasImages ? ['data.heldOut=null', 'data.size=null', 'data.channels=null'] : []),
    'training.images=1',
    'training.batchSize=1',
    'training.accumulate=1',
    'training.schedule={"kind":"constant"}',
    'runtime.spinning=false',
  ].map((change) => `${prefix}${change}`);
}

/** Changes to a config: the discriminator takes part in the step, and the grid of stages is small. */
function changes(config: AnyConfig, source: string): string[] {
  if ('autoencoder' in config) return [...oneStep('', source, true), 'loss.adversarial.startImages=0'];
  if (!('stages' in config)) return oneStep('', source, config.data.kind === 'images');
  return [
    ...oneStep('stages.autoencoder.', source, true),
    'stages.autoencoder.loss.adversarial.startImages=0',
    ...oneStep('stages.flow.', source, true),
    'stages.flow.sampling={"solver":{"kind":"euler","steps":1},"batchSize":1,"classes":1}',
    'stages.samples.perClass=1',
    'stages.metrics=null',
  ];
}

async function trainOnce(config: AnyConfig, directory: string): Promise<number[]> {
  const losses: number[] = [];
  const onEvent = (event: RunEvent) => {
    if (event.kind === 'step') losses.push(event.loss);
  };
  const request = { directory, resume: false, signal: new AbortController().signal, onEvent };
  if ('stages' in config) await runner.trainStages({ ...request, config });
  else if ('autoencoder' in config) await runner.trainAutoencoder({ ...request, config });
  else await runner.train({ ...request, config });
  return losses;
}

const folder = mkdtempSync(join(tmpdir(), 'flowloom-paper-scale-'));
try {
  const source = join(folder, 'data.npz');
  const preset = readAnyConfig(name);
  writeFileSync(source, writeNpz(arrays(preset)));
  const config = readAnyConfig(name, { set: changes(preset, source) });
  const begun = performance.now();
  const losses = await trainOnce(config, join(folder, 'run'));
  const wanted = 'stages' in config ? 2 : 1;
  if (losses.length !== wanted || !losses.every(Number.isFinite)) throw new Error('no whole step');
  const peakBytes = 1024 * process.resourceUsage().maxRSS;
  const seconds = (performance.now() - begun) / 1000;
  console.log(JSON.stringify({ name, losses, seconds, peakBytes }));
} finally {
  rmSync(folder, { recursive: true });
}
