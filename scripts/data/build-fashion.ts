/**
 * Builds assets/data/fashion: the first 1,000 training and first 200 test images of each class of Fashion-MNIST, in file
 * order. Source: Debian's package dataset-fashion-mnist (MIT), fetched with apt-get into a temporary folder.
 *
 *   node --import tsx scripts/data/build-fashion.ts [--from folder with the four .gz files] [--check]
 *
 * With --check nothing is written: the committed subset is compared with the full set.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { encodeIdx, readIdx } from '../../src/data/idx.ts';

const target = fileURLToPath(new URL('../../assets/data/fashion/', import.meta.url));
const pixels = 28 * 28;
const classes = 10;

/** Indices of the first `perClass` images of each class, in file order. */
function firstOfEachClass(labels: Uint8Array, perClass: number): number[] {
  const taken = new Uint32Array(classes);
  return [...labels.keys()].filter((index) => {
    const label = labels[index]!;
    taken[label]! += 1;
    return taken[label]! <= perClass;
  });
}

async function buildPart(source: string, part: string, perClass: number, check: boolean): Promise<void> {
  const imagesName = `${part}-images-idx3-ubyte.gz`;
  const labelsName = `${part}-labels-idx1-ubyte.gz`;
  const images = await readIdx(join(source, imagesName));
  const labels = await readIdx(join(source, labelsName));
  const kept = firstOfEachClass(labels.values, perClass);
  const keptImages = new Uint8Array(kept.length * pixels);
  kept.forEach((index, row) => {
    keptImages.set(images.values.subarray(index * pixels, (index + 1) * pixels), row * pixels);
  });
  const keptLabels = Uint8Array.from(kept, (index) => labels.values[index]!);
  if (check) {
    const ourImages = await readIdx(join(target, imagesName));
    const ourLabels = await readIdx(join(target, labelsName));
    if (Buffer.compare(ourImages.values, keptImages) !== 0 || Buffer.compare(ourLabels.values, keptLabels) !== 0) {
      throw new Error(`assets/data/fashion differs from the full set in part ${part}`);
    }
    console.log(`${part}: ${kept.length} of ${labels.values.length} images, equal to the full set's`);
    return;
  }
  const packedImages = gzipSync(encodeIdx([kept.length, 28, 28], keptImages), { level: 9 });
  const packedLabels = gzipSync(encodeIdx([kept.length], keptLabels), { level: 9 });
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, imagesName), packedImages);
  writeFileSync(join(target, labelsName), packedLabels);
  console.log(`${part}: ${kept.length} images, ${packedImages.length + packedLabels.length} bytes`);
}

/** The unpacked Debian package's folder of data files, inside `folder`. */
function fetchPackage(folder: string): string {
  execFileSync('apt-get', ['download', 'dataset-fashion-mnist'], { cwd: folder, stdio: 'inherit' });
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'))!;
  execFileSync('dpkg', ['-x', archive, '.'], { cwd: folder });
  const licence = readFileSync(join(folder, 'usr/share/doc/dataset-fashion-mnist/copyright'), 'utf8');
  if (!licence.includes('License: Expat')) throw new Error('the package is no longer under the Expat (MIT) licence');
  return join(folder, 'usr/share/datasets/fashion-mnist');
}

const { values } = parseArgs({ options: { from: { type: 'string' }, check: { type: 'boolean', default: false } } });
const folder = mkdtempSync(join(tmpdir(), 'fashion-'));
try {
  const source = values.from ?? fetchPackage(folder);
  await buildPart(source, 'train', 1000, values.check);
  await buildPart(source, 't10k', 200, values.check);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
