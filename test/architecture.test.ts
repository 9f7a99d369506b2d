import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCycle, folderOf, type Import, importsOf, root, sourceFiles } from './source-tree.ts';

interface FolderRule {
  readonly holds: string;
  /** Folders that may be imported from. */
  readonly imports: readonly string[];
  /** Folders of which only types may be imported. */
  readonly types?: readonly string[];
}

interface Architecture {
  readonly always: readonly string[];
  readonly folders: Readonly<Record<string, FolderRule>>;
}

const architecture: Architecture = JSON.parse(readFileSync(join(root, 'docs/architecture.json'), 'utf8'));
const sources = sourceFiles(['src']);
const imports = sources.flatMap(importsOf);
const everything = sourceFiles(['src', 'test', 'bench', 'scripts']);

function forbidden({ from, to, typeOnly }: Import): boolean {
  const importer = folderOf(from);
  const imported = folderOf(to);
  // src/index.ts lists what is public, so it may import from every folder.
  if (importer === imported || importer === 'index') return false;
  if (architecture.always.includes(imported)) return false;
  const rule = architecture.folders[importer];
  if (rule === undefined) return true;
  return !(rule.imports.includes(imported) || (typeOnly && rule.types?.includes(imported) === true));
}

describe('the law tests themselves', () => {
  const file = (text: string) => ({ path: 'src/data/a.ts', text });

  it('find every form of import', () => {
    const text = [
      `import { b } from './b.ts';`,
      `import {\n  c,\n  type C,\n} from '../engine/c.ts';`,
      `import type { D } from './d.ts';`,
      `export { e } from './e.ts';`,
      `export type { F } from './f.ts';`,
      `import './g.ts';`,
      `import * as h from './h.ts';`,
      `const i = await import('./i.ts');`,
      `new Worker(new URL('./j.ts', import.meta.url));`,
      `/* import { k } from './k.ts'; */`,
      `import { l } from 'library';`,
    ].join('\n');
    const found = importsOf(file(text)).map(({ to, typeOnly }) => `${to}${typeOnly ? ' (type)' : ''}`);
    expect(found).toEqual([
      'src/data/b.ts',
      'src/engine/c.ts',
      'src/data/d.ts (type)',
      'src/data/e.ts',
      'src/data/f.ts (type)',
      'src/data/g.ts',
      'src/data/h.ts',
      'src/data/i.ts',
      'src/data/j.ts',
    ]);
  });

  it('see a forbidden import, a cycle, and that a type-only import makes none', () => {
    const link = (from: string, to: string, typeOnly = false) => ({ from, to, typeOnly });
    expect(forbidden(link('src/engine/a.ts', 'src/data/b.ts'))).toBe(true);
    expect(forbidden(link('src/training/a.ts', 'src/models/b.ts'))).toBe(true);
    expect(forbidden(link('src/training/a.ts', 'src/models/b.ts', true))).toBe(false);
    expect(forbidden(link('src/data/a.ts', 'src/errors.ts'))).toBe(false);
    expect(forbidden(link('src/nowhere/a.ts', 'src/data/b.ts'))).toBe(true);
    expect(findCycle([link('a', 'b'), link('b', 'c'), link('c', 'b')])).toEqual(['b', 'c', 'b']);
    expect(findCycle([link('a', 'b'), link('b', 'a', true)])).toBeNull();
  });

  it('see the type `any` in code, not in prose', () => {
    expect(
      linesWithAny('let a: any;\nb as any\nc<any>()\nany[]\n// d: any\n"e"; // (any case)\nconst anything: Any = 1'),
    ).toEqual([1, 2, 3, 4]);
  });
});

describe('src/', () => {
  it('has only folders that the table of docs/architecture.json names', () => {
    const known = [...Object.keys(architecture.folders), ...architecture.always, 'index'];
    const folders = new Set(sources.map(({ path }) => folderOf(path)));
    expect([...folders].filter((folder) => !known.includes(folder))).toEqual([]);
  });

  it('imports only in the direction of the table', () => {
    const faults = imports.filter(forbidden).map(({ from, to }) => `${from} imports ${to}`);
    expect(faults).toEqual([]);
  });

  it('imports only files that exist, by their full names', () => {
    const missing = imports.filter(({ to }) => !existsSync(join(root, to)));
    expect(missing).toEqual([]);
  });

  it('has no cycle of run-time imports', () => {
    expect(findCycle(imports)).toBeNull();
  });

  it('never uses the type `any`', () => {
    const found = sources.flatMap(({ path, text }) => linesWithAny(text).map((line) => `${path}:${line}`));
    expect(found).toEqual([]);
  });
});

describe('every file', () => {
  it('has at most 400 lines', () => {
    const long = everything
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });

  it('has a name that says what it holds', () => {
    const vague = /(^|[/-])(utils?|helpers?|commons?|misc)([-./]|$)/;
    expect(everything.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });
});

describe('docs/references.bib', () => {
  const cited = /\[([a-z]+:\d\d[a-z]?)[\],]/g;
  const bibliography = readFileSync(join(root, 'docs/references.bib'), 'utf8');
  const entries = [...bibliography.matchAll(/^@\w+\{([^,]+),/gm)].map(([, key]) => key!);
  const citations = new Set(sources.flatMap(({ text }) => [...text.matchAll(cited)].map(([, key]) => key!)));

  it('has every key that src/ cites', () => {
    expect([...citations].filter((key) => !entries.includes(key))).toEqual([]);
  });

  it('has no key that src/ does not cite, and none twice', () => {
    expect(entries.filter((key) => !citations.has(key))).toEqual([]);
    expect(entries).toEqual([...new Set(entries)]);
  });
});

/** Numbers of the lines that use the type `any`. */
function linesWithAny(text: string): number[] {
  const typed = /[:<|&,(]\s*any\b(?!\s*[a-z])|\bas any\b|\bany\[\]/;
  return stripProse(text)
    .split('\n')
    .flatMap((line, index) => (typed.test(line) ? [index + 1] : []));
}

/** The code without comments and strings, line by line as before. */
function stripProse(text: string): string {
  const blank = (match: string) => match.replace(/[^\n]/g, ' ');
  return text
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/\/\/.*$/gm, blank)
    .replace(/'(?:[^'\\\n]|\\.)*'/g, blank)
    .replace(/`(?:[^`\\]|\\.)*`/g, blank);
}
