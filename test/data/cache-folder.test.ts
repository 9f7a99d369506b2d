import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/data/cache-folder.ts';

describe('cacheFolder', () => {
  it('is where the environment says, or in the home folder', () => {
    expect(cacheFolder({ FLOWLOOM_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheFolder({ FLOWLOOM_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'flowloom'));
    expect(cacheFolder({ XDG_CACHE_HOME: '' })).toBe(join(homedir(), '.cache', 'flowloom'));
  });
});
