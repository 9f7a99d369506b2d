/** The folder of a run: `config.json`, `environment.json`, `log.jsonl`, `checkpoints/`, `samples/`, `outcome.json`. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import type { TrainingEvent } from '../training/loop.ts';
import { parseConfig, type RunConfig } from './config.ts';

export interface RunDirectory {
  readonly path: string;
  readonly checkpoints: string;
  readonly samples: string;
  readonly log: string;
}

export function runDirectory(path: string): RunDirectory {
  return { path, checkpoints: join(path, 'checkpoints'), samples: join(path, 'samples'), log: join(path, 'log.jsonl') };
}

/** Writes a file under another name first, so that it is never there in part. */
export function writeWhole(path: string, text: string): void {
  const partial = `${path}.partial`;
  writeFileSync(partial, text, { flush: true });
  renameSync(partial, path);
}

function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Files that may be in the folder of a run that has not begun. */
const allowedBefore = new Set(['run.lock']);

/**
 * Makes the folder of a new run, with its config.
 * @throws ConfigError if something is there already.
 */
export function createRun(path: string, config: RunConfig): RunDirectory {
  const directory = runDirectory(path);
  const found = existsSync(path) ? readdirSync(path).filter((name) => !allowedBefore.has(name)) : [];
  if (found.length > 0) {
    throw new ConfigError({
      expected: `\`${path}\` to be a new or empty folder`,
      got: `one with ${found.slice(0, 3).join(', ')}`,
      where: 'experiments/run-directory',
      remedy: `resuming it with --resume ${path}, or another folder`,
    });
  }
  mkdirSync(directory.checkpoints, { recursive: true });
  mkdirSync(directory.samples, { recursive: true });
  writeJson(join(path, 'config.json'), config);
  return directory;
}

/** Config of a run. @throws ConfigError if the folder holds no run or its config is not valid. */
export function readRunConfig(path: string): RunConfig {
  const file = join(path, 'config.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError({
      expected: `\`${path}\` to be the folder of a run`,
      got: 'no readable config.json',
      where: 'experiments/run-directory',
      cause,
    });
  }
  try {
    return parseConfig(JSON.parse(text), file);
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

export function writeOutcome({ path }: RunDirectory, outcome: unknown): void {
  writeJson(join(path, 'outcome.json'), outcome);
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

/** Drops what the log tells of the time after a checkpoint, which will be told again. */
export function truncateLog(directory: RunDirectory, imagesSeen: number): void {
  const kept = readLog(directory).filter((event) => event.imagesSeen <= imagesSeen);
  writeWhole(directory.log, kept.map((event) => `${JSON.stringify(event)}\n`).join(''));
}
