/** The folder of a run: `config.json`, `environment.json`, `log.jsonl`, `checkpoints/`, `samples/`, `outcome.json`. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import type { TrainingEvent } from '../training/loop.ts';
import { lockName } from '../training/run-lock.ts';
import { type AnyConfig, isFlow, kindOfConfig, parseAnyConfig } from './any-config.ts';
import type { AutoencoderConfig } from './autoencoder-config.ts';
import type { RunConfig } from './config.ts';

export interface RunDirectory {
  readonly path: string;
  readonly checkpoints: string;
  readonly samples: string;
  readonly log: string;
}

export function runDirectory(path: string): RunDirectory {
  return { path, checkpoints: join(path, 'checkpoints'), samples: join(path, 'samples'), log: join(path, 'log.jsonl') };
}

const partialSuffix = '.partial';

/** Writes a file under another name first, so that it is never there in part. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  const partial = `${path}${partialSuffix}`;
  writeFileSync(partial, content, { flush: true });
  renameSync(partial, path);
}

function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value, null, 2)}\n`);
}

const configName = 'config.json';

/** Whether something may be in the folder of a run that has not begun: its lock, and what a kill left of a config. */
function mayPrecede(name: string): boolean {
  return name.startsWith(lockName) || name === `${configName}${partialSuffix}`;
}

/** @throws ConfigError if a run cannot begin in the folder, because something is there already. */
export function checkFree(path: string): void {
  const found = existsSync(path) ? readdirSync(path).filter((name) => !mayPrecede(name)) : [];
  if (found.length === 0) return;
  throw new ConfigError({
    expected: `\`${path}\` to be a new or empty folder`,
    got: `one with ${found.slice(0, 3).join(', ')}`,
    where: 'experiments/run-directory',
    remedy: `resuming it with --resume ${path}, or another folder`,
  });
}

/** Writes a config of any kind into the folder of its run. */
export function writeConfig(path: string, config: AnyConfig): void {
  writeJson(join(path, configName), config);
}

/**
 * Writes a run's config, and makes its folders. The config comes first: a folder with a config can be resumed, one without is
 * free for a new run, and a kill at any moment leaves one of the two.
 */
export function writeRunConfig(path: string, config: RunConfig | AutoencoderConfig): RunDirectory {
  const directory = runDirectory(path);
  writeConfig(path, config);
  mkdirSync(directory.checkpoints, { recursive: true });
  mkdirSync(directory.samples, { recursive: true });
  return directory;
}

/** Config of a flow's run. @throws ConfigError if the folder holds no run of a flow or its config is not valid. */
export function readRunConfig(path: string): RunConfig {
  const config = readAnyRunConfig(path);
  if (isFlow(config)) return config;
  throw otherKind(path, 'a flow', config);
}

/** Config of an autoencoder's run. @throws ConfigError if the folder holds no such run or its config is not valid. */
export function readAutoencoderConfig(path: string): AutoencoderConfig {
  const config = readAnyRunConfig(path);
  if ('autoencoder' in config) return config;
  throw otherKind(path, 'an autoencoder', config);
}

function otherKind(path: string, wanted: 'a flow' | 'an autoencoder', config: AnyConfig): ConfigError {
  const stage = wanted === 'a flow' ? 'flow' : 'autoencoder';
  return new ConfigError({
    expected: `\`${path}\` to be the run of ${wanted}`,
    got: `that of ${kindOfConfig(config)}`,
    where: 'experiments/run-directory',
    ...('stages' in config ? { remedy: join(path, stage) } : {}),
  });
}

/** Config of a run of any kind. @throws ConfigError if the folder holds no run or its config is not valid. */
export function readAnyRunConfig(path: string): AnyConfig {
  const file = join(path, configName);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError({
      expected: `\`${path}\` to be the folder of a run`,
      got: `no readable ${configName}`,
      where: 'experiments/run-directory',
      cause,
    });
  }
  try {
    return parseAnyConfig(JSON.parse(text), file);
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new ConfigError({
        expected: `\`${file}\` to be JSON`,
        got: cause.message,
        where: 'experiments/run-directory',
        cause,
      });
    throw cause;
  }
}

/** What the numbers of a run depend on besides its config. */
export function writeEnvironment({ path }: RunDirectory, runtime: Runtime): void {
  writeJson(join(path, 'environment.json'), {
    node: process.version,
    platform: platform(),
    architecture: arch(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    onnxruntime: runtime.version,
    provider: runtime.provider,
    threads: runtime.threads,
  });
}

const outcomeName = 'outcome.json';

export function writeOutcome({ path }: Pick<RunDirectory, 'path'>, outcome: unknown): void {
  writeJson(join(path, outcomeName), outcome);
}

/** What was written as the outcome of a run; `null` if it has none yet. */
export function readOutcome(path: string): unknown {
  const file = join(path, outcomeName);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

export function appendLog({ log }: RunDirectory, event: TrainingEvent): void {
  appendFileSync(log, `${JSON.stringify(event)}\n`);
}

/** Events of the log; a last line that was cut by a kill is left out. */
export function readLog({ log }: RunDirectory): TrainingEvent[] {
  if (!existsSync(log)) return [];
  const events: TrainingEvent[] = [];
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (line === '') continue;
    try {
      events.push(JSON.parse(line) as TrainingEvent);
    } catch {
      break;
    }
  }
  return events;
}

function keepInLog(directory: RunDirectory, keeps: (event: TrainingEvent) => boolean): void {
  const kept = readLog(directory).filter(keeps);
  writeWhole(directory.log, kept.map((event) => `${JSON.stringify(event)}\n`).join(''));
}

/** Drops what the log tells of the time after a number of images, which will be told again. */
export function truncateLog(directory: RunDirectory, imagesSeen: number): void {
  keepInLog(directory, (event) => event.imagesSeen <= imagesSeen);
}

/** Drops all of the log but what was done before the first step, up to where it stands. */
export function truncateToPreliminary(directory: RunDirectory, done: number): void {
  keepInLog(directory, (event) => event.kind === 'preliminary' && event.done <= done);
}

/** Drops what the log tells of the checkpoint at a number of images, and of the coupling measured with it. */
export function untellCheckpoint(directory: RunDirectory, imagesSeen: number): void {
  const tells = ({ kind }: TrainingEvent) => kind === 'checkpoint' || kind === 'coupling';
  keepInLog(directory, (event) => !(tells(event) && event.imagesSeen === imagesSeen));
}
