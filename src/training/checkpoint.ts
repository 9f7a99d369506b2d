/**
 * Checkpoints: folders `<imagesSeen>` with `state.safetensors` and `checkpoint.json`. A folder comes and goes by one rename, so
 * that one with such a name is whole; `<imagesSeen>.partial` is on its way in or out and means nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { HostArray } from '../engine/dtype.ts';
import { CheckpointError, DataError, FlowError } from '../errors.ts';
import { safetensor } from '../formats/safetensors.ts';
import {
  type DeferredTensor,
  openSafetensorsFile,
  type SafetensorsFile,
  writeSafetensorsFile,
} from '../formats/safetensors-file.ts';

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

/** What a new checkpoint holds. */
export type CheckpointContent = Omit<CheckpointFacts, 'format' | 'sha256'> & {
  readonly tensors: ReadonlyMap<string, CheckpointTensor | DeferredTensor>;
};

/** Digits of the folder's name: sorted by name is sorted by number. */
const NAME_DIGITS = 12;
const TEMPORARY = '.partial';
const where = 'training/checkpoint';

/** Name of a checkpoint's folder. */
export function checkpointName(imagesSeen: number): string {
  return String(imagesSeen).padStart(NAME_DIGITS, '0');
}

/** Waits until a folder's entries are on the disk; a no-op where folders cannot be opened (Windows). */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

/** Which checkpoints stay. */
export interface Retention {
  /** How many of the newest. */
  readonly keep: number;
  /** Images seen of one that stays whatever its age; `null` or absent: none. */
  readonly spared?: number | null;
}

/**
 * Writes a checkpoint into `folder` and removes all but the newest `keep` and the one that is spared. Tensors that are fetched are so one
 * after the other; where one cannot be, its error is thrown and nothing is left of the checkpoint.
 * @returns its path.
 * @throws DataError if the disk refuses.
 */
export async function writeCheckpoint(
  folder: string,
  content: CheckpointContent,
  retention: Retention,
): Promise<string> {
  const path = join(folder, checkpointName(content.imagesSeen));
  try {
    await mkdir(folder, { recursive: true });
    await removePartial(folder);
    await writePartial(`${path}${TEMPORARY}`, content);
    await rm(path, { recursive: true, force: true });
    await rename(`${path}${TEMPORARY}`, path);
    await syncFolder(folder);
    await removeOld(folder, retention);
  } catch (cause) {
    if (cause instanceof FlowError) {
      await rm(`${path}${TEMPORARY}`, { recursive: true, force: true });
      throw cause;
    }
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `a checkpoint to be written into \`${folder}\``, got, where, cause });
  }
  return path;
}

async function writePartial(partial: string, { tensors, ...numbers }: CheckpointContent): Promise<void> {
  await mkdir(partial);
  const encoded = new Map(
    [...tensors].map(([name, tensor]) => [name, 'data' in tensor ? safetensor(tensor.data, tensor.shape) : tensor]),
  );
  const { sha256 } = await writeSafetensorsFile(join(partial, 'state.safetensors'), encoded);
  const facts: CheckpointFacts = { format: CHECKPOINT_FORMAT, ...numbers, sha256 };
  await writeFile(join(partial, 'checkpoint.json'), `${JSON.stringify(facts, null, 2)}\n`, { flush: true });
  await syncFolder(partial);
}

/** Removes what writers that were killed left behind. */
async function removePartial(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(TEMPORARY)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function removeOld(folder: string, { keep, spared = null }: Retention): Promise<void> {
  const paths = await checkpointPaths(folder);
  for (const path of paths.slice(0, Math.max(0, paths.length - keep))) {
    if (spared !== null && basename(path) === checkpointName(spared)) continue;
    // Renamed first: half of a removed checkpoint must not look like one.
    await rename(path, `${path}${TEMPORARY}`);
    await rm(`${path}${TEMPORARY}`, { recursive: true, force: true });
  }
}

/** Paths of the whole checkpoints in a folder, oldest first; none if there is no such folder. */
export async function checkpointPaths(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new DataError({ expected: `\`${folder}\` to be readable`, got: cause.message, where, cause });
  });
  return names
    .filter((name) => /^\d+$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

function damaged(path: string, fault: string, cause?: unknown): CheckpointError {
  return new CheckpointError({
    expected: `\`${path}\` to be a whole checkpoint`,
    got: `a fault in ${fault}`,
    where,
    remedy: 'an older checkpoint: remove this folder and resume again',
    cause,
  });
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

/** Whether a record of this version of the format has all its fields. */
function isWhole({ imagesSeen, updates, seed, sha256 }: Partial<CheckpointFacts>): boolean {
  return isCount(imagesSeen) && isCount(updates) && isCount(seed) && /^[0-9a-f]{64}$/.test(sha256 ?? '');
}

async function readFacts(path: string): Promise<CheckpointFacts> {
  const file = join(path, 'checkpoint.json');
  let facts: Partial<CheckpointFacts> | null;
  try {
    facts = JSON.parse(await readFile(file, 'utf8')) as Partial<CheckpointFacts> | null;
  } catch (cause) {
    throw damaged(path, 'checkpoint.json', cause);
  }
  if (facts?.format !== CHECKPOINT_FORMAT) {
    throw new CheckpointError({
      expected: `\`${file}\` to be of format ${CHECKPOINT_FORMAT}`,
      got: `format ${String(facts?.format)}`,
      where,
      remedy: 'the version of flowloom that wrote it',
    });
  }
  if (!isWhole(facts)) throw damaged(path, 'checkpoint.json');
  return facts as CheckpointFacts; // checked field by field above
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
 * The tensors of a checkpoint, to be read one by one and closed.
 * @throws CheckpointError if the file's checksum is not the recorded one.
 */
export async function openCheckpointTensors({ path, facts }: Checkpoint): Promise<SafetensorsFile> {
  const file = join(path, 'state.safetensors');
  const digest = createHash('sha256');
  await pipeline(createReadStream(file), digest).catch((cause: unknown) => {
    throw damaged(path, 'state.safetensors', cause);
  });
  if (digest.digest('hex') !== facts.sha256) throw damaged(path, 'state.safetensors: its checksum differs');
  return openSafetensorsFile(file);
}

/**
 * Tensors of a checkpoint, all or those whose name starts with a prefix.
 * @throws CheckpointError if the file's checksum is not the recorded one.
 */
export async function readCheckpoint(checkpoint: Checkpoint, prefix = ''): Promise<Map<string, CheckpointTensor>> {
  const opened = await openCheckpointTensors(checkpoint);
  try {
    const tensors = new Map<string, CheckpointTensor>();
    for (const name of opened.entries.keys()) {
      if (!name.startsWith(prefix)) continue;
      const { shape, data } = await opened.read(name);
      // The checksum says that `writeCheckpoint` made the file, which writes no other arrays.
      tensors.set(name, { shape, data: data as HostArray | Uint32Array });
    }
    return tensors;
  } finally {
    await opened.close();
  }
}
