/**
 * Builds assets/data/portraits: the Noto emoji of people (Google, Apache-2.0), 64 x 64, composited on white, with their
 * labels. Source: npm package emoji-datasource-google 16.0.0 (74 MB), fetched with `npm pack` into a temporary folder.
 *
 *   node --import tsx scripts/data/build-portraits.ts [--from unpacked package folder] [--check]
 *
 * With --check nothing is written: the committed set is compared, pixel by pixel, with the package.
 * assets/data/portraits/README.md says how the labels are derived.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const packageName = 'emoji-datasource-google@16.0.0';
const target = fileURLToPath(new URL('../../assets/data/portraits/', import.meta.url));
const size = 64;
const columns = 32;
const subcategories = ['person', 'person-role', 'person-gesture', 'person-fantasy'];
const skins = ['none', 'light', 'medium-light', 'medium', 'medium-dark', 'dark'];
const skinCodes = ['1F3FB', '1F3FC', '1F3FD', '1F3FE', '1F3FF'];
const genders = ['neutral', 'woman', 'man'];
/** Code points that mean a woman or a man by themselves: girl, older woman, princess, Mrs. Claus, ...; boy, older man, prince, Santa, ... */
const women = ['1F469', '1F467', '1F475', '1F478', '1F936', '1F930'];
const men = ['1F468', '1F466', '1F474', '1F934', '1F385', '1FAC3'];
/** Names for the roles whose first short name misleads. */
const roleNames: { readonly [shortName: string]: string } = {
  'red-haired-man': 'red-hair',
  'curly-haired-man': 'curly-hair',
  'white-haired-man': 'white-hair',
  'bald-man': 'bald',
  'person-with-blond-hair': 'blond-hair',
  'bearded-person': 'beard',
  'person-frowning': 'frowning',
  'person-with-pouting-face': 'pouting',
  'no-good': 'gesturing-no',
  'ok-woman': 'gesturing-ok',
  'information-desk-person': 'tipping-hand',
  'deaf-person': 'deaf',
  bow: 'bowing',
  cop: 'police-officer',
  'sleuth-or-spy': 'detective',
  guardsman: 'guard',
  'person-with-crown': 'crown',
  'man-with-turban': 'turban',
  'man-with-gua-pi-mao': 'skullcap',
  'person-with-headscarf': 'headscarf',
  'person-in-tuxedo': 'tuxedo',
  'bride-with-veil': 'veil',
  'woman-feeding-baby': 'feeding-baby',
};

/** The fields of an entry of emoji.json that are used. */
interface Entry {
  readonly unified: string;
  readonly short_name: string;
  readonly subcategory: string;
  readonly sort_order: number;
  readonly image: string;
  readonly skin_variations?: { readonly [code: string]: { readonly image: string } };
}

interface Portrait {
  readonly file: string;
  readonly skin: number;
  readonly gender: number;
  readonly roleCode: string;
  readonly shortName: string;
}

/** Code points of an emoji without the joiner and the variation selector. */
function codePoints(unified: string): string[] {
  return unified.split('-').filter((code) => code !== '200D' && code !== 'FE0F');
}

function genderOf(codes: readonly string[]): number {
  if (codes.includes('2640') || women.includes(codes[0]!)) return 1;
  if (codes.includes('2642') || men.includes(codes[0]!)) return 2;
  return 0;
}

/** What is left of an emoji when gender is taken out: woman and man count as person (1F9D1), the gender signs as nothing. */
function roleCodeOf(codes: readonly string[]): string {
  return codes
    .filter((code) => code !== '2640' && code !== '2642')
    .map((code) => (code === '1F469' || code === '1F468' ? '1F9D1' : code))
    .join('-');
}

function listPortraits(entries: readonly Entry[]): Portrait[] {
  return entries
    .filter((entry) => subcategories.includes(entry.subcategory))
    .sort((a, b) => a.sort_order - b.sort_order)
    .flatMap((entry) => {
      const codes = codePoints(entry.unified);
      const shared = { gender: genderOf(codes), roleCode: roleCodeOf(codes), shortName: entry.short_name };
      const variations = skinCodes.flatMap((code, tone) => {
        const variation = entry.skin_variations?.[code];
        return variation === undefined ? [] : [{ file: variation.image, skin: tone + 1, ...shared }];
      });
      return [{ file: entry.image, skin: 0, ...shared }, ...variations];
    });
}

/** Names of the roles, in order of first appearance, by role code. */
function nameRoles(portraits: readonly Portrait[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { roleCode, shortName } of portraits) {
    if (names.has(roleCode)) continue;
    const plain = shortName.replaceAll('_', '-');
    names.set(roleCode, roleNames[plain] ?? plain);
  }
  return names;
}

/** Pixels of one emoji on white: round((alpha·colour + (255 - alpha)·255) / 255), RGB, [height, width, 3]. */
async function onWhite(path: string): Promise<Uint8Array> {
  const { data, info } = await sharp(path).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  if (info.width !== size || info.height !== size || info.channels !== 4)
    throw new Error(`${path} is not 64 x 64 RGBA`);
  const rgb = new Uint8Array(size * size * 3);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const alpha = data[4 * pixel + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      rgb[3 * pixel + channel] = Math.round((alpha * data[4 * pixel + channel]! + (255 - alpha) * 255) / 255);
    }
  }
  return rgb;
}

/** Sprite of all portraits, row by row; free places at the end are white. RGB, [rows·64, 32·64, 3]. */
async function composeSprite(folder: string, portraits: readonly Portrait[]) {
  const rows = Math.ceil(portraits.length / columns);
  const sprite = { pixels: new Uint8Array(rows * size * columns * size * 3).fill(255), rows };
  const stride = columns * size * 3;
  const seen = new Set<string>();
  for (const [index, { file }] of portraits.entries()) {
    const tile = await onWhite(join(folder, 'img/google/64', file));
    seen.add(createHash('sha256').update(tile).digest('hex'));
    const start = Math.floor(index / columns) * size * stride + (index % columns) * size * 3;
    for (let y = 0; y < size; y++) {
      sprite.pixels.set(tile.subarray(y * size * 3, (y + 1) * size * 3), start + y * stride);
    }
  }
  if (seen.size !== portraits.length) throw new Error(`only ${seen.size} of ${portraits.length} portraits are unique`);
  return sprite;
}

function describeLabels(portraits: readonly Portrait[]): string {
  const roles = nameRoles(portraits);
  const codes = [...roles.keys()];
  const attributes = [
    {
      name: 'role',
      classes: [...roles.values()],
      values: portraits.map((portrait) => codes.indexOf(portrait.roleCode)),
    },
    { name: 'gender', classes: genders, values: portraits.map((portrait) => portrait.gender) },
    { name: 'skin', classes: skins, values: portraits.map((portrait) => portrait.skin) },
  ];
  const names = portraits.map((portrait) => portrait.file.replace('.png', ''));
  const lines = attributes.map((attribute) => `    ${JSON.stringify(attribute)}`);
  const head = `  "count": ${portraits.length},\n  "size": ${size},\n  "columns": ${columns},`;
  return `{\n${head}\n  "attributes": [\n${lines.join(',\n')}\n  ],\n  "names": ${JSON.stringify(names)}\n}\n`;
}

function fetchPackage(folder: string): string {
  execFileSync('npm', ['pack', '--silent', packageName], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('tar', ['xzf', 'emoji-datasource-google-16.0.0.tgz'], { cwd: folder });
  const readme = readFileSync(join(folder, 'package/README.md'), 'utf8');
  if (!/Noto images, are available under the \[Apache License 2\.0\]/.test(readme)) {
    throw new Error('the package no longer says that the Noto images are under the Apache License 2.0');
  }
  return join(folder, 'package');
}

async function build(folder: string, check: boolean): Promise<void> {
  const entries: readonly Entry[] = JSON.parse(readFileSync(join(folder, 'emoji.json'), 'utf8'));
  const portraits = listPortraits(entries);
  const { pixels, rows } = await composeSprite(folder, portraits);
  const labels = describeLabels(portraits);
  if (check) {
    const ours = await sharp(join(target, 'portraits.webp')).raw().toBuffer();
    if (Buffer.compare(ours, pixels) !== 0) throw new Error('assets/data/portraits/portraits.webp differs');
    if (readFileSync(join(target, 'labels.json'), 'utf8') !== labels) throw new Error('labels.json differs');
    console.log(`${portraits.length} portraits, equal to the package's`);
    return;
  }
  const packed = await sharp(pixels, { raw: { width: columns * size, height: rows * size, channels: 3 } })
    .webp({ lossless: true, effort: 6 })
    .toBuffer();
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'portraits.webp'), packed);
  writeFileSync(join(target, 'labels.json'), labels);
  console.log(`${portraits.length} portraits, ${packed.length} + ${labels.length} bytes`);
}

const { values } = parseArgs({ options: { from: { type: 'string' }, check: { type: 'boolean', default: false } } });
const folder = mkdtempSync(join(tmpdir(), 'portraits-'));
try {
  await build(values.from ?? fetchPackage(folder), values.check);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
