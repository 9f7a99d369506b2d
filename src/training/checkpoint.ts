/**
 * Checkpoints: folders `<imagesSeen>` with `state.safetensors` and `checkpoint.json`, written under a temporary name and renamed,
 * so that a folder that is there is whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { HostArray } from '../engine/dtype.ts';
import { CheckpointError } from '../errors.ts';
import { safetensor } from '../formats/safetensors.ts';
import { openSafetensorsFile, writeSafetensorsFile } from '../formats/safetensors-file.ts';

/** Version of the folder's format. */
export const CHECKPOINT_FORMAT = 1;

/** Numbers beside the tensors. */
export interface CheckpointFacts {
  readonly format: typeof CHECKPOINT_FORMAT;
  readonly imagesSeen: number;
  /** Optimiser updates made. */
  readonly updates: number;
  /** Seed of the run. */
  readonly seed: number;
  /** SHA-256 of `state.safetensors`, hexadecimal. */
  readonly sha256: string;
}

export interface CheckpointTensor {
  readonly shape: readonly number[];
  readonly data: HostArray | Uint32Array;
}

export type CheckpointTensors = ReadonlyMap<string, CheckpointTensor>;

export interface Checkpoint {
  readonly facts: CheckpointFacts;
  readonly path: string;
}

/** Digits of the folder's name: sorted by name is sorted by number. */
const NAME_DIGITS = 12;
const TEMPORARY = '.partial';

function checkpointName(imagesSeen: number): string {
  return String(imagesSeen).padStart(NAME_DIGITS, '0');
}

/** Waits until a folder's entries are on the disk; a no-op where folders cannot be opened (Windows). */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

/**
 * Writes a checkpoint into `folder` and removes all but the newest `keep`.
 * @returns its path.
 * @throws DataError if the disk refuses.
 */
export async function writeCheckpoint(
  folder: string,
  {
    tensors,
    imagesSeen,
    updates,
    seed,
  }: Omit<CheckpointFacts, 'format' | 'sha256'> & { readonly tensors: CheckpointTensors },
  { keep }: { readonly keep: number },
): Promise<string> {
  const path = join(folder, checkpointName(imagesSeen));
  const partial = `${path}${TEMPORARY}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const encoded = new Map([...tensors].map(([name, { data, shape }]) => [name, safetensor(data, shape)]));
  const { sha256 } = await writeSafetensorsFile(join(partial, 'state.safetensors'), encoded);
  const facts: CheckpointFacts = { format: CHECKPOINT_FORMAT, imagesSeen, updates, seed, sha256 };
  await writeFile(join(partial, 'checkpoint.json'), `${JSON.stringify(facts, null, 2)}\n`, { flush: true });
  await syncFolder(partial);
  await rm(path, { recursive: true, force: true });
  await rename(partial, path);
  await syncFolder(folder);
  await removeOld(folder, keep);
  return path;
}

async function removeOld(folder: string, keep: number): Promise<void> {
  const paths = await checkpointPaths(folder);
  for (const path of paths.slice(0, Math.max(0, paths.length - keep))) await rm(path, { recursive: true, force: true });
}

/** Paths of the whole checkpoints in a folder, oldest first. */
export async function checkpointPaths(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

async function readFacts(path: string): Promise<CheckpointFacts> {
  const file = join(path, 'checkpoint.json');
  const facts = JSON.parse(
    await readFile(file, 'utf8').catch((cause: unknown) => fail(path, 'checkpoint.json', { cause })),
  ) as Partial<CheckpointFacts>;
  if (facts.format !== CHECKPOINT_FORMAT) {
    throw new CheckpointError({
      expected: `\`${file}\` to be of format ${CHECKPOINT_FORMAT}`,
      got: `format ${String(facts.format)}`,
      where: 'training/checkpoint',
      remedy: 'the version of flowloom that wrote it',
    });
  }
  return facts as CheckpointFacts;
}

function fail(path: string, got: string, { cause }: { readonly cause?: unknown } = {}): never {
  throw new CheckpointError({
    expected: `\`${path}\` to be a whole checkpoint`,
    got: `a fault in ${got}`,
    where: 'training/checkpoint',
    remedy: 'an older checkpoint: remove this folder and resume again',
    cause,
  });
}

/** Facts of a checkpoint, without its tensors. @throws CheckpointError if it is damaged or of another format. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  return { path, facts: await readFacts(path) };
}

/** The newest checkpoint of a folder; `null` if there is none. @throws CheckpointError if it is damaged. */
export async function latestCheckpoint(folder: string): Promise<Checkpoint | null> {
  const path = (await checkpointPaths(folder)).at(-1);
  return path === undefined ? null : openCheckpoint(path);
}

/**
 * Tensors of a checkpoint, all or those whose name starts with a prefix.
 * @throws CheckpointError if the file's checksum is not the recorded one.
 */
export async function readCheckpoint(
  { path, facts }: Checkpoint,
  prefix = '',
): Promise<Map<string, HostArray | Uint32Array>> {
  const file = join(path, 'state.safetensors');
  const digest = createHash('sha256');
  await pipeline(createReadStream(file), digest).catch((cause: unknown) => fail(path, 'state.safetensors', { cause }));
  if (digest.digest('hex') !== facts.sha256) fail(path, 'state.safetensors: its checksum differs');
  const opened = await openSafetensorsFile(file);
  try {
    const tensors = new Map<string, HostArray | Uint32Array>();
    for (const name of opened.entries.keys()) {
      if (name.startsWith(prefix)) tensors.set(name, (await opened.read(name)).data as HostArray | Uint32Array);
    }
    return tensors;
  } finally {
    await opened.close();
  }
}
