import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Folder for what can be made or fetched again: $FLOWLOOM_CACHE, else `flowloom` in $XDG_CACHE_HOME, else ~/.cache/flowloom. Empty
 * variables count as absent. It need not exist.
 */
export function cacheFolder({ FLOWLOOM_CACHE, XDG_CACHE_HOME }: NodeJS.ProcessEnv = process.env): string {
  if (FLOWLOOM_CACHE) return FLOWLOOM_CACHE;
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'flowloom');
}
