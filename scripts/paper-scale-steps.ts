/**
 * Every preset at paper scale: `train --dry-run`, and one real training step at batch 1 on made-up data, each in a process of its own.
 * `node --import tsx scripts/paper-scale-steps.ts [preset ...]` prints a table. A step that would not fit into the memory that is free is
 * not tried, and what it needs is said.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { networkSize } from '../src/experiments/doctor/model-size.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { dryRunPresets, paperScalePresets } from './paper-scale-presets.ts';

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

/** Parameters of a preset's network. */
function parametersOf(name: string): number {
  const { model, data } = readConfig(name);
  const { side, channels = 3, classes = null } = paperScalePresets[name]!;
  const facts =
    data.kind === 'latents' ? data : { shape: [channels, side!, side!], classes: model.labels ? classes : null };
  return networkSize(model, facts).parameters;
}

/** What the program and the values inside of a network take besides, at batch 1. */
const RUNTIME_BYTES = 1.5 * GIGA;

interface StepReport {
  readonly loss: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

function stepCells(name: string, parameters: number): string[] {
  const { inPlace } = readConfig(name).training;
  const needed = 4 * COPIES[inPlace ? 'inPlace' : 'beside'] * parameters + RUNTIME_BYTES;
  if (needed > availableBytes()) {
    return [`needs ${(needed / GIGA).toFixed(0)} GB, ${(availableBytes() / GIGA).toFixed(0)} GB are free`, '', ''];
  }
  const { status, stdout, stderr } = runScript('paper-scale-step.ts', [name]);
  if (status !== 0) return [`FAILS: ${/^\w*Error.*$/m.exec(stderr)?.[0] ?? 'killed'}`, '', ''];
  const { loss, seconds, peakBytes } = JSON.parse(stdout.trim().split('\n').at(-1)!) as StepReport;
  return [loss.toFixed(3), seconds.toFixed(1), (peakBytes / GIGA).toFixed(2)];
}

function sizeAndStep(name: string): string[] {
  const parameters = parametersOf(name);
  return [(parameters / 1e6).toFixed(1), ...stepCells(name, parameters)];
}

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : [...Object.keys(paperScalePresets), ...dryRunPresets];
console.log('| preset | parameters, M | dry run | loss of the step | seconds in all | peak memory, GB |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const name of names) {
  const dry = runScript('../src/cli/main.ts', ['train', name, '--dry-run', '--json']);
  const stepped = Object.hasOwn(paperScalePresets, name) ? sizeAndStep(name) : ['', 'no step', '', ''];
  const [parameters, ...step] = stepped;
  const cells = [name, parameters, dry.status === 0 ? 'passes' : 'FAILS', ...step];
  console.log(`| ${cells.join(' | ')} |`);
}
