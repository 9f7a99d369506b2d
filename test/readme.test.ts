import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allPresets } from '../src/experiments/presets/table.ts';
import { root } from './source-tree.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Paths of the annotated tree; folders end in a slash. */
function treeEntries(): string[] {
  const block = /## What is where\n+```\n([\s\S]*?)```/.exec(readme)![1]!;
  let parent = '';
  return block
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, indent, name] = /^( *)(\S+)/.exec(line)!;
      if (indent === '') parent = name!;
      return indent === '' ? name! : `${parent}${name}`;
    });
}

/** Entries of a folder that git tracks, folders with a slash; all entries of the disk where git does not work. */
function trackedIn(folder: string): string[] {
  const { status, stdout } = spawnSync('git', ['ls-files', '--', folder === '' ? '.' : folder], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0 || stdout === '') {
    return readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => folder !== '' || existsInTree(entry.name))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  }
  const names = stdout
    .trim()
    .split('\n')
    .filter((path) => existsSync(join(root, path)))
    .map((path) => path.slice(folder.length).replace(/\/.*/, '/'));
  return [...new Set(names)];
}

/** Whether the tree names an entry of the root; without git nothing tells local files from the project's. */
function existsInTree(name: string): boolean {
  return treeEntries().some((entry) => entry.replace(/\/$/, '') === name);
}

describe('the annotated tree of the README', () => {
  const entries = treeEntries();

  it('names only what exists, once', () => {
    expect(entries.filter((entry) => !existsSync(join(root, entry)))).toEqual([]);
    expect(entries).toEqual([...new Set(entries)]);
  });

  it('names everything at the root that belongs to the project', () => {
    expect(trackedIn('').filter((entry) => !entries.includes(entry))).toEqual([]);
  });

  it('names everything directly under src/', () => {
    expect(
      trackedIn('src/')
        .map((name) => `src/${name}`)
        .filter((entry) => !entries.includes(entry)),
    ).toEqual([]);
  });
});

describe('the README', () => {
  it('names every preset', () => {
    for (const name of Object.keys(allPresets)) expect(readme).toContain(`\`${name}\``);
  });

  it('shows pictures and links that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)]
      .map(([, path]) => path!)
      .filter((path) => !/^https?:/.test(path));
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
