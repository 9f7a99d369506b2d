/** The source files as the law tests see them: paths, text, and imports found by their form. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** A TypeScript file; `path` is relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Files with the given ending under some top-level folders, in a fixed order. */
export function sourceFiles(folders: readonly string[], ending = '.ts'): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort()
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  );
}

/** An import of one of our files by another. */
export interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether the compiler erases it: `import type` or `export type`. */
  readonly typeOnly: boolean;
}

const statement = /^\s*(?:import|export)\s+(?:(type)\s+)?(?:[\w*{][^'";]*?\sfrom\s+|)['"](\.[^'"]+)['"]/gm;
const expression = /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)|\bnew URL\(\s*['"](\.[^'"]+\.ts)['"]/g;

/** The relative imports in a file: statements, re-exports, `import(...)` and the URLs of worker files. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  const target = (specifier: string) => posix.normalize(posix.join(dirname(path), specifier));
  const statements = [...code.matchAll(statement)].map(([, type, specifier]) => ({
    from: path,
    to: target(specifier!),
    typeOnly: type !== undefined,
  }));
  const expressions = [...code.matchAll(expression)].map(([, dynamic, worker]) => ({
    from: path,
    to: target(dynamic ?? worker!),
    typeOnly: false,
  }));
  return [...statements, ...expressions];
}

/** The folder under src/ that a file belongs to; the name of the file itself, without its ending, if it lies in src/. */
export function folderOf(path: string): string {
  const [, second = ''] = path.split('/');
  return second.replace(/\.ts$/, '');
}

/** The files on a cycle of run-time imports, first one repeated at the end; null if there is none. */
export function findCycle(imports: readonly Import[]): string[] | null {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): string[] | null => {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    if (done.has(path)) return null;
    trail.push(path);
    for (const to of next.get(path) ?? []) {
      const cycle = visit(to);
      if (cycle !== null) return cycle;
    }
    trail.pop();
    done.add(path);
    return null;
  };
  for (const path of next.keys()) {
    const cycle = visit(path);
    if (cycle !== null) return cycle;
  }
  return null;
}
