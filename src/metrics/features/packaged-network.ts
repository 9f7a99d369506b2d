/** Networks whose weights npm packages ship, converted to ONNX once and kept in the cache folder. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { DataError } from '../../errors.ts';
import { cacheFolder, writeWhole } from './cache-folder.ts';
import { type NpmPackage, npmPackageFiles } from './npm-package.ts';
import { convertTfjs } from './tfjs/convert-tfjs.ts';
import type { TfjsModel } from './tfjs/tfjs-model.ts';

const where = 'metrics/features/packaged-network';

/** A model of TensorFlow.js in a package, and what comes of it. */
export interface PackagedNetwork {
  readonly package: NpmPackage;
  /** Path of model.json, or of a script that exports what it holds. Weight files stand beside it. */
  readonly model: string;
  /** Ending of the weight files' names after those of the manifest. */
  readonly weightSuffix: string;
  /** Layer or node that becomes the output. */
  readonly output: string;
  /** SHA-256 of the converted file. */
  readonly sha256: string;
}

/** The text of a package's file. @throws DataError if there is none. */
function textOf(files: ReadonlyMap<string, Uint8Array>, path: string): string {
  const bytes = files.get(`package/${path}`);
  if (bytes !== undefined) return Buffer.from(bytes).toString('utf8');
  throw new DataError({ expected: `\`${path}\` in the package`, got: 'none', where });
}

/** What a script of the package exports. It is known code: the archive's checksum is pinned. It sees nothing but its own exports. */
function exported(files: ReadonlyMap<string, Uint8Array>, path: string): unknown {
  const module = { exports: {} as unknown };
  runInNewContext(textOf(files, path), { module, exports: module.exports }, { timeout: 60_000 });
  return module.exports;
}

/** Bytes of one weight file: as they are, or base64 in a script. */
function weightBytes(files: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array {
  if (path.endsWith('.js')) return Buffer.from(String(exported(files, path)), 'base64');
  const bytes = files.get(`package/${path}`);
  if (bytes !== undefined) return bytes;
  throw new DataError({ expected: `\`${path}\` in the package`, got: 'none', where });
}

/** The model of a package as TensorFlow.js reads it. @throws DataError if files are missing. */
export function packagedModel(
  { model: path, weightSuffix }: PackagedNetwork,
  files: ReadonlyMap<string, Uint8Array>,
): { readonly model: TfjsModel; readonly weights: Uint8Array } {
  // The checksum of the package says what its model holds.
  const model = (
    path.endsWith('.js') ? structuredClone(exported(files, path)) : JSON.parse(textOf(files, path))
  ) as TfjsModel;
  const folder = path.slice(0, path.lastIndexOf('/'));
  const parts = model.weightsManifest.flatMap((group) => group.paths);
  return { model, weights: Buffer.concat(parts.map((part) => weightBytes(files, `${folder}/${part}${weightSuffix}`))) };
}

/** The network of a package's files as an ONNX file. @throws DataError if files are missing or do not fit. */
export function convertPackaged(network: PackagedNetwork, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const { model, weights } = packagedModel(network, files);
  return convertTfjs(model, weights, { outputs: [network.output] });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface PackagedNetworkOptions {
  /** Default: `cacheFolder()`. */
  readonly folder?: string;
  /** Is told what takes time. */
  readonly note?: (text: string) => void;
  /** Fetches the files of a package. Default: `npm pack`. */
  readonly fetchFiles?: (wanted: NpmPackage) => Promise<Map<string, Uint8Array>>;
}

/**
 * The converted network, from the cache folder or from the package. A file that is not what it should be is made again.
 * @param name  name of the file in the cache folder.
 * @throws DataError if the package cannot be fetched, or what comes of it is not the network that is known.
 */
export async function packagedNetwork(
  name: string,
  network: PackagedNetwork,
  { folder = cacheFolder(), note = () => {}, fetchFiles = npmPackageFiles }: PackagedNetworkOptions = {},
): Promise<Uint8Array> {
  const path = join(folder, 'networks', `${name}-${network.sha256.slice(0, 16)}.onnx`);
  const kept = await readFile(path).catch(() => null);
  if (kept !== null && sha256(kept) === network.sha256) return kept;
  const { name: source, version } = network.package;
  note(`Fetching ${source}@${version} for the network \`${name}\`; it is kept in ${path}.`);
  const bytes = convertPackaged(network, await fetchFiles(network.package));
  const found = sha256(bytes);
  if (found !== network.sha256) {
    throw new DataError({ expected: `network \`${name}\` to have SHA-256 ${network.sha256}`, got: found, where });
  }
  await writeWhole(path, bytes);
  return bytes;
}
