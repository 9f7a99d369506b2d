/** A training in processes of its own that are killed at random moments and resumed, and the same training left alone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readLog, runDirectory } from '../src/experiments/run-directory.ts';
import { stream } from '../src/numerics/stream.ts';
import { checkpointPaths } from '../src/training/checkpoint.ts';

/** What is trained: arguments of the command `train`. */
export interface Training {
  /** Name of a preset, or path of a config. */
  readonly source: string;
  /** Changes, `path=value`. */
  readonly set: readonly string[];
}

/** Times of a training that was left alone. */
export interface WholeRun {
  /** From the start of the process to the first line of the log. */
  readonly startMs: number;
  /** From there to the last line of the log. */
  readonly trainingMs: number;
}

/** What a kill left behind. */
export interface Kill {
  /** Moment of the kill: after the start of the process, or of its training. */
  readonly phase: 'start' | 'training';
  readonly afterMs: number;
  /** Number of the newest whole checkpoint; null if there is none. */
  readonly checkpoint: number | null;
  /** Last number of images in the log; null if there is no log. */
  readonly logged: number | null;
  /** Files and folders that were being made. */
  readonly unfinished: readonly string[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const pollMs = 2;

function start(args: readonly string[]): ChildProcess {
  const command = ['--import', 'tsx', join(root, 'src/cli/main.ts'), 'train', ...args];
  return spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Exit status or signal of a process, with what it said on standard error. */
function ending(child: ChildProcess): Promise<{ readonly status: number | string; readonly text: string }> {
  let text = '';
  child.stderr?.on('data', (part) => {
    text += part;
  });
  return new Promise((resolve) => {
    child.on('close', (status, signal) => resolve({ status: status ?? signal ?? 'unknown', text }));
  });
}

function argumentsOf({ source, set }: Training, directory: string): string[] {
  // Until the config is there, there is nothing to resume.
  if (existsSync(join(directory, 'config.json'))) return ['--resume', directory];
  return [source, '--run', directory, ...set.flatMap((change) => ['--set', change])];
}

/** Changes whenever something is written into the log. */
function logStamp(directory: string): string {
  const { log } = runDirectory(directory);
  const status = statSync(log, { throwIfNoEntry: false });
  return status === undefined ? '' : `${status.ino} ${status.size} ${status.mtimeMs}`;
}

/** Waits until the process writes its log, or ends. */
async function trainingBegins(directory: string, before: string, child: ChildProcess): Promise<void> {
  while (logStamp(directory) === before && child.exitCode === null && child.signalCode === null) await sleep(pollMs);
}

function checkEnd({ status, text }: Awaited<ReturnType<typeof ending>>): void {
  if (status !== 0) throw new Error(`The training ended with ${status}:\n${text}`);
}

/** Trains in one process. @throws Error if it fails. */
export async function trainWhole(training: Training, directory: string): Promise<WholeRun> {
  const begun = performance.now();
  const child = start(argumentsOf(training, directory));
  const ended = ending(child);
  await trainingBegins(directory, '', child);
  const startMs = performance.now() - begun;
  checkEnd(await ended);
  const { log } = runDirectory(directory);
  return { startMs, trainingMs: statSync(log).mtimeMs - performance.timeOrigin - begun - startMs };
}

async function inspect(directory: string): Promise<Pick<Kill, 'checkpoint' | 'logged' | 'unfinished'>> {
  const { checkpoints } = runDirectory(directory);
  const found = (await checkpointPaths(checkpoints)).at(-1);
  const names = [directory, checkpoints].flatMap((path) => (existsSync(path) ? readdirSync(path) : []));
  return {
    checkpoint: found === undefined ? null : Number(found.slice(-12)),
    logged: readLog(runDirectory(directory)).at(-1)?.imagesSeen ?? null,
    unfinished: names.filter((name) => name.endsWith('.partial') || /^run\.lock\./.test(name)),
  };
}

/** When to kill. */
export interface KillPlan {
  readonly kills: number;
  /** Seed of the moments. */
  readonly seed: number;
  /** How long the same training takes, left alone. */
  readonly whole: WholeRun;
}

/**
 * Trains with kills: every fifth at a random moment of the start of its process, the others at a random moment after the
 * training has begun, so short after it that the training should outlive them all; otherwise there are fewer.
 * @throws Error if a resumed training fails.
 */
export async function trainKilled(training: Training, directory: string, plan: KillPlan): Promise<Kill[]> {
  const { kills, seed, whole } = plan;
  const random = stream(seed, 'kills');
  const done: Kill[] = [];
  while (done.length < kills) {
    const phase = done.length % 5 === 4 ? 'start' : 'training';
    const afterMs = random.uniform() * (phase === 'start' ? whole.startMs : whole.trainingMs / kills);
    const before = logStamp(directory);
    const child = start(argumentsOf(training, directory));
    const ended = ending(child);
    if (phase === 'training') await trainingBegins(directory, before, child);
    await sleep(afterMs);
    child.kill('SIGKILL');
    const { status, text } = await ended;
    if (status === 0) break;
    if (status !== 'SIGKILL')
      throw new Error(`The training ended with ${status} before kill ${done.length + 1}:\n${text}`);
    done.push({ phase, afterMs, ...(await inspect(directory)) });
  }
  return done;
}

/** Lets a training come to its end. @throws Error if it fails. */
export async function trainToEnd(training: Training, directory: string): Promise<void> {
  checkEnd(await ending(start(argumentsOf(training, directory))));
}

/** Bytes of the last state of a run. */
export async function finalState(directory: string): Promise<Buffer> {
  const path = (await checkpointPaths(runDirectory(directory).checkpoints)).at(-1);
  if (path === undefined) throw new Error(`${directory} has no checkpoint.`);
  return readFileSync(join(path, 'state.safetensors'));
}

/** Losses of a run's log, without times and paths. */
export function loggedLosses(directory: string): string[] {
  return readLog(runDirectory(directory)).map((event) =>
    [event.kind, event.imagesSeen, 'loss' in event ? event.loss : ''].join(' '),
  );
}
