/**
 * Every preset at paper scale: `train --dry-run`, and one real training step at batch 1 on made-up data, each in a process of its own.
 * `node --import tsx scripts/paper-scale-steps.ts [preset ...]` prints a table. A step that would not fit into the memory that is free is
 * not tried, and what it needs is said.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { AnyConfig } from '../src/experiments/any-config.ts';
import type { AutoencoderConfig } from '../src/experiments/autoencoder-config.ts';
import { buildAutoencoder } from '../src/experiments/build.ts';
import type { RunConfig } from '../src/experiments/config.ts';
import { networkSize } from '../src/experiments/doctor/model-size.ts';
import { readAnyConfig } from '../src/experiments/read-config.ts';
import { parameterCount } from '../src/models/parameters.ts';
import { paperScalePresets } from './paper-scale-presets.ts';

const GIGA = 1e9;

/** Copies of the parameters that a step holds: they, two moments and an average, each twice or once, and the gradient. */
const COPIES = { beside: 9, inPlace: 5 };

function runScript(path: string, args: readonly string[]) {
  const script = fileURLToPath(new URL(path, import.meta.url));
  return spawnSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** Bytes that processes can have without others being hurt. */
function availableBytes(): number {
  if (!existsSync('/proc/meminfo')) return freemem();
  return 1024 * Number(/^MemAvailable:\s*(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
}

/** A network that is trained, and what a step takes besides its state. */
interface Trained {
  readonly parameters: number;
  readonly inPlace: boolean;
  /** What the program and the values inside of the networks take at batch 1. */
  readonly besides: number;
}

type Flow = Pick<RunConfig, 'data' | 'model' | 'training'>;

function flowOf(name: string, { data, model, training }: Flow, latents: readonly number[] | null): Trained {
  const { side, channels = 3, classes = null } = paperScalePresets[name]!;
  const shape = latents ?? [channels, side!, side!];
  const facts = data.kind === 'latents' ? data : { shape, classes: model.labels ? classes : null };
  return { ...training, parameters: networkSize(model, facts).parameters, besides: 1.5 * GIGA };
}

/** With the discriminator and the perceptual network. */
function autoencoderOf({ autoencoder, training }: Pick<AutoencoderConfig, 'autoencoder' | 'training'>): Trained {
  return { ...training, parameters: parameterCount(buildAutoencoder(autoencoder).parameters), besides: 8 * GIGA };
}

/** The networks of a preset, one after the other. */
function trainedOf(name: string, config: AnyConfig): Trained[] {
  if ('autoencoder' in config) return [autoencoderOf(config)];
  if (!('stages' in config)) return [flowOf(name, config, null)];
  const { autoencoder, flow } = config.stages;
  const latents = buildAutoencoder(autoencoder.autoencoder).latents.shape;
  return [autoencoderOf(autoencoder), flowOf(name, flow, latents)];
}

interface StepReport {
  readonly losses: readonly number[];
  readonly seconds: number;
  readonly peakBytes: number;
}

function stepCells(name: string, trained: readonly Trained[]): string[] {
  const needed = Math.max(
    ...trained.map(
      ({ parameters, inPlace, besides }) => 4 * COPIES[inPlace ? 'inPlace' : 'beside'] * parameters + besides,
    ),
  );
  if (needed > availableBytes()) {
    return [`needs ${(needed / GIGA).toFixed(0)} GB, ${(availableBytes() / GIGA).toFixed(0)} GB are free`, '', ''];
  }
  const { status, stdout, stderr } = runScript('paper-scale-step.ts', [name]);
  if (status !== 0) return [`FAILS: ${/^\w*Error.*$/m.exec(stderr)?.[0] ?? 'killed'}`, '', ''];
  const { losses, seconds, peakBytes } = JSON.parse(stdout.trim().split('\n').at(-1)!) as StepReport;
  const told = losses.map((loss) => loss.toFixed(3)).join(', ');
  return [told, seconds.toFixed(1), (peakBytes / GIGA).toFixed(2)];
}

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(paperScalePresets);
console.log('| preset | parameters, M | dry run | loss of the step | seconds in all | peak memory, GB |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const name of names) {
  const dry = runScript('../src/cli/main.ts', ['train', name, '--dry-run', '--json']);
  const trained = trainedOf(name, readAnyConfig(name));
  const parameters = trained.map((one) => (one.parameters / 1e6).toFixed(1)).join(', ');
  const cells = [name, parameters, dry.status === 0 ? 'passes' : 'FAILS', ...stepCells(name, trained)];
  console.log(`| ${cells.join(' | ')} |`);
}
