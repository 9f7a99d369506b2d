/** Where converted networks and extracted features are kept between runs, and how files get there. */
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** $FLOWLOOM_CACHE, $XDG_CACHE_HOME/flowloom or ~/.cache/flowloom: the first that is set. Relative XDG paths are ignored, as its rules want. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const own = environment.FLOWLOOM_CACHE ?? '';
  if (own !== '') return own;
  const shared = environment.XDG_CACHE_HOME ?? '';
  return join(isAbsolute(shared) ? shared : join(homedir(), '.cache'), 'flowloom');
}

/** Writes a file under another name and renames it: readers and other writers see it whole or not at all. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
