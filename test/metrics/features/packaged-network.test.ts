import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { cacheFolder } from '../../../src/metrics/features/cache-folder.ts';
import { npmPackageFiles } from '../../../src/metrics/features/npm-package.ts';
import {
  convertPackaged,
  type PackagedNetwork,
  packagedNetwork,
} from '../../../src/metrics/features/packaged-network.ts';
import { tarArchive } from '../../formats/tar-archive.ts';

const [golden] = JSON.parse(readFileSync(new URL('../../golden/tfjs.json', import.meta.url), 'utf8')).cases;
const weights = Buffer.from(golden.weights, 'base64');
const model = JSON.stringify(golden.model);
const half = Math.floor(weights.length / 2);
const parts = [weights.subarray(0, half), weights.subarray(half)];

/** The model in scripts, as nsfwjs has it: weights in two of them as base64. */
const scripts = new Map([
  ['package/net/model.min.js', `module.exports = ${model.replace('"weights.bin"', '"a","b"')}`],
  ['package/net/a.min.js', `module.exports = "${parts[0]!.toString('base64')}"`],
  ['package/net/b.min.js', `module.exports = "${parts[1]!.toString('base64')}"`],
]);
const scriptFiles = new Map([...scripts].map(([path, text]) => [path, new Uint8Array(Buffer.from(text))]));
const plainFiles = new Map([
  ['package/net/model.json', new Uint8Array(Buffer.from(model))],
  ['package/net/weights.bin', new Uint8Array(weights)],
]);

const source = { name: 'tiny-weights', version: '1.0.0', integrity: '' };
const base: PackagedNetwork = {
  package: source,
  model: 'net/model.json',
  weightSuffix: '',
  output: 'pooled',
  sha256: '',
};
const converted = convertPackaged(base, plainFiles);
const network = { ...base, sha256: createHash('sha256').update(converted).digest('hex') };

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowloom-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('convertPackaged', () => {
  it('gives the same file whether the package holds files or scripts', () => {
    const inScripts = { ...base, model: 'net/model.min.js', weightSuffix: '.min.js' };
    expect(convertPackaged(inScripts, scriptFiles)).toEqual(converted);
    expect(importOnnx(converted).outputs).toMatchObject([{ name: 'pooled' }]);
  });

  it('misses no file silently', () => {
    const files = new Map([['package/net/model.json', plainFiles.get('package/net/model.json')!]]);
    expect(() => convertPackaged(base, files)).toThrow('Expected `net/weights.bin` in the package; got none.');
  });
});

describe('packagedNetwork', () => {
  it('fetches and converts once', async () => {
    let fetched = 0;
    const notes: string[] = [];
    const options = {
      folder,
      note: (text: string) => notes.push(text),
      fetchFiles: async () => {
        fetched++;
        return plainFiles;
      },
    };
    expect(await packagedNetwork('tiny', network, options)).toEqual(converted);
    expect(new Uint8Array(await packagedNetwork('tiny', network, options))).toEqual(converted);
    expect(fetched).toBe(1);
    expect(notes).toEqual([expect.stringContaining('Fetching tiny-weights@1.0.0')]);
    const [file] = readdirSync(join(folder, 'networks'));
    expect(file).toBe(`tiny-${network.sha256.slice(0, 16)}.onnx`);
    writeFileSync(join(folder, 'networks', file!), 'broken');
    expect(await packagedNetwork('tiny', network, options)).toEqual(converted);
    expect(fetched).toBe(2);
  });

  it('refuses a conversion that is not the known one', async () => {
    const options = { folder, fetchFiles: async () => plainFiles };
    const wanted = packagedNetwork('tiny', { ...network, sha256: '0'.repeat(64) }, options);
    await expect(wanted).rejects.toThrow(`network \`tiny\` to have SHA-256 ${'0'.repeat(64)}; got ${network.sha256}`);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('npmPackageFiles', () => {
  const archive = gzipSync(tarArchive([{ name: 'package/a.txt', content: 'text' }]));
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  const pack = async (_specification: string, into: string) => writeFileSync(join(into, 'tiny.tgz'), archive);

  it('unpacks what has the expected integrity', async () => {
    const files = await npmPackageFiles({ ...source, integrity }, pack);
    expect(Buffer.from(files.get('package/a.txt')!).toString()).toBe('text');
  });

  it('refuses another archive', async () => {
    const wanted = npmPackageFiles({ ...source, integrity: 'sha512-other' }, pack);
    await expect(wanted).rejects.toThrow(`\`tiny-weights@1.0.0\` to have integrity sha512-other; got ${integrity}`);
  });

  it('says what to do without npm or network', async () => {
    const wanted = npmPackageFiles({ ...source, integrity }, async () => {
      throw new Error('Command failed\nspawn npm ENOENT');
    });
    await expect(wanted).rejects.toThrow(
      "to fetch the package with the network's weights; got spawn npm ENOENT. In metrics/features/npm-package. Try again with npm and a network connection",
    );
  });
});

describe('cacheFolder', () => {
  it('takes the first folder that the environment names', () => {
    expect(cacheFolder({ FLOWLOOM_CACHE: '/own', XDG_CACHE_HOME: '/shared' })).toBe('/own');
    expect(cacheFolder({ XDG_CACHE_HOME: '/shared' })).toBe(join('/shared', 'flowloom'));
    expect(cacheFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/\.cache.flowloom$/);
    expect(cacheFolder({})).toMatch(/\.cache.flowloom$/);
  });
});
