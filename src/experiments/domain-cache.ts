/** Trained classifiers on disk: their parameters, what is known of them, and a checksum of both. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DataError } from '../errors.ts';
import { safetensor, tensorBytes } from '../formats/safetensors.ts';
import { openSafetensorsFile, writeSafetensorsFile } from '../formats/safetensors-file.ts';
import { flattenParameters, type ParameterTree } from '../models/parameters.ts';

const where = 'experiments/domain-cache';

/** What is known of a classifier besides its parameters. */
export interface DomainFacts {
  /** Share of the held-out images that it classifies rightly, and the standard error of that share. */
  readonly accuracy: number;
  readonly standardError: number;
  /** Held-out images. */
  readonly heldOutCount: number;
  /** Images seen in training. */
  readonly imagesSeen: number;
  /** Seconds of training on the machine that trained it. */
  readonly seconds: number;
}

/** Parameters by path, and facts. */
export interface StoredClassifier {
  readonly parameters: Readonly<Record<string, Float32Array>>;
  readonly facts: DomainFacts;
}

/** SHA-256 of the parameters' paths and values, in hexadecimal digits. */
export function hashOfParameters(parameters: StoredClassifier['parameters']): string {
  const hash = createHash('sha256');
  for (const [path, values] of Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${path} ${values.length} `);
    hash.update(tensorBytes(safetensor(values)));
  }
  return hash.digest('hex');
}

function checksumOf(facts: string, parameters: StoredClassifier['parameters']): string {
  return createHash('sha256').update(facts).update(hashOfParameters(parameters)).digest('hex');
}

/** Writes a classifier under a temporary name, then renames it, so that readers and other writers never see half of it. */
export async function writeClassifier(
  path: string,
  tree: ParameterTree,
  { parameters, facts }: StoredClassifier,
): Promise<void> {
  const text = JSON.stringify(facts);
  const tensors = flattenParameters(tree).map(
    ([name, { shape }]) => [name, safetensor(parameters[name], shape)] as const,
  );
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    await writeSafetensorsFile(temporary, new Map(tensors), { facts: text, checksum: checksumOf(text, parameters) });
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new DataError({
      expected: `\`${path}\` to be a place that can be written`,
      got: cause instanceof Error ? cause.message : String(cause),
      where,
      remedy: 'another folder by the environment variable FLOWLOOM_CACHE',
      cause,
    });
  }
}

/** A classifier from the cache; `null` if there is none, or its file is damaged: it is then to be made again. */
export async function readClassifier(path: string, tree: ParameterTree): Promise<StoredClassifier | null> {
  if (!existsSync(path)) return null;
  try {
    return await readChecked(path, tree);
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}

async function readChecked(path: string, tree: ParameterTree): Promise<StoredClassifier> {
  const file = await openSafetensorsFile(path);
  try {
    const parameters: Record<string, Float32Array> = {};
    for (const [name] of flattenParameters(tree)) {
      const { data } = await file.read(name);
      if (!(data instanceof Float32Array))
        throw new DataError({ expected: `float32 in ${name}`, got: 'another dtype' });
      parameters[name] = data;
    }
    const { facts = '', checksum } = file.metadata;
    const found = checksumOf(facts, parameters);
    if (found !== checksum) throw new DataError({ expected: `checksum ${checksum}`, got: found });
    return { parameters, facts: JSON.parse(facts) as DomainFacts }; // as written, by the checksum
  } finally {
    await file.close();
  }
}
