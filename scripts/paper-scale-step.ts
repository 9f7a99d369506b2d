/**
 * One training step at batch 1 of a preset at paper scale, on made-up data:
 * `node --import tsx scripts/paper-scale-step.ts <preset>` prints parameters, time and peak memory as a line of JSON.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/experiments/read-config.ts';
import { runner } from '../src/experiments/run.ts';
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
function arrays(): Map<string, NpyArray> {
  const random = stream(0, 'paper-scale-step', 0);
  const { data } = readConfig(name);
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

const folder = mkdtempSync(join(tmpdir(), 'flowloom-paper-scale-'));
try {
  const source = join(folder, 'data.npz');
  writeFileSync(source, writeNpz(arrays()));
  const { data, training } = readConfig(name);
  const config = readConfig(name, {
    set: [
      `data.source=${source}`,
      ...(data.kind === 'images' ? ['data.heldOut=null', 'data.size=null'] : []),
      'training.images=1',
      'training.batchSize=1',
      'training.accumulate=1',
      ...(training.schedule.warmupImages === 0 ? [] : ['training.schedule.warmupImages=0']),
      'runtime.spinning=false',
    ],
  });
  const losses: number[] = [];
  const begun = performance.now();
  const outcome = await runner.train({
    config,
    directory: join(folder, 'run'),
    resume: false,
    signal: new AbortController().signal,
    onEvent: (event) => {
      if (event.kind === 'step') losses.push(event.loss);
    },
  });
  if (outcome.imagesSeen !== 1 || losses.length === 0 || !losses.every(Number.isFinite))
    throw new Error('no whole step');
  const peakBytes = 1024 * process.resourceUsage().maxRSS;
  const seconds = (performance.now() - begun) / 1000;
  console.log(JSON.stringify({ name, parameters: outcome.parameterCount, loss: losses[0], seconds, peakBytes }));
} finally {
  rmSync(folder, { recursive: true });
}
