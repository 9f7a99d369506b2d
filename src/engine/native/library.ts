/** Finds and loads the ONNX Runtime library that the npm package `onnxruntime-node` installed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { RuntimeError } from '../../errors.ts';

/** The version whose function table and behaviour `native/` was written and measured against. */
export const ortVersion = '1.30.0';

const libraryNames: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so\.\d/,
  darwin: /^libonnxruntime\.\d+\.\d+\.\d+\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

/**
 * Path of the shared library for this platform and processor.
 * @throws RuntimeError if the package is missing, of another version, or has no library for this machine.
 */
export function findLibrary(platform: string = process.platform, arch: string = process.arch): string {
  const packageFile = resolvePackage();
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string };
  if (version !== ortVersion) throw versionError('package onnxruntime-node', version);
  const folder = join(dirname(packageFile), 'bin', 'napi-v6', platform, arch);
  const pattern = libraryNames[platform];
  const file = pattern && existsSync(folder) ? readdirSync(folder).find((name) => pattern.test(name)) : undefined;
  if (file !== undefined) return join(folder, file);
  throw new RuntimeError({
    expected: `onnxruntime-node to hold a library for ${platform} ${arch}`,
    got: 'none',
    where: 'engine/native/findLibrary',
    remedy: 'Linux or Windows on x64 or arm64, or macOS on arm64; on these, reinstall with `npm ci`',
  });
}

/** Kept for good: koffi unloads a library when its handle is garbage collected, whatever was bound from it. */
const loaded = new Map<string, LibraryHandle>();

/**
 * Loads the library, once in a process; it is never unloaded.
 * @throws RuntimeError if it is missing or cannot be loaded.
 */
export function loadLibrary(): LibraryHandle {
  const path = findLibrary();
  try {
    const library = loaded.get(path) ?? koffi.load(path);
    loaded.set(path, library);
    return library;
  } catch (cause) {
    throw new RuntimeError({
      expected: `${path} to load`,
      got: `"${cause instanceof Error ? cause.message : cause}"`,
      where: 'engine/native/loadLibrary',
      remedy: 'reinstalling with `npm ci` on this machine',
      cause,
    });
  }
}

/** The error for a library or package of a version other than `ortVersion`. */
export function versionError(what: string, version: string): RuntimeError {
  return new RuntimeError({
    expected: `${what} to be version ${ortVersion}`,
    got: version,
    where: 'engine/native',
    remedy: `\`npm install --save-exact onnxruntime-node@${ortVersion}\``,
  });
}

function resolvePackage(): string {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  } catch (cause) {
    throw new RuntimeError({
      expected: 'package onnxruntime-node to be installed',
      got: 'none',
      where: 'engine/native/findLibrary',
      remedy: '`npm ci`',
      cause,
    });
  }
}
