import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncodeOutcome, EncodeRequest } from '../../src/experiments/encode-request.ts';
import { writeAutoencoderRun, writePictures } from '../experiments/small-autoencoders.ts';
import { fakeRunner, finished, runCommand } from './run-command.ts';

let folder = '';
let autoencoder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flowloom-encode-'));
  autoencoder = await writeAutoencoderRun(join(folder, 'vq'), 1);
});
afterAll(() => rmSync(folder, { recursive: true }));

const outcome: EncodeOutcome = {
  folder: 'where',
  encoder: 'e'.repeat(64),
  dtype: 'float16',
  flips: true,
  shape: [4, 16, 16],
  normalization: { mean: [0.5, -1], deviation: [1, 2.25] },
  parts: [
    { part: 'train', images: 10, bytes: 2 ** 20 },
    { part: 'held out', images: 2, bytes: 2 ** 19 },
  ],
  seconds: 61,
};

async function encode(...args: string[]) {
  const requests: EncodeRequest[] = [];
  const { runner } = fakeRunner((request) => ({ ...finished, directory: request.directory }));
  const encoding = {
    ...runner,
    async encode(request: EncodeRequest) {
      requests.push(request);
      request.onEvent({ kind: 'work', what: 'latents', unit: 'images', done: 1, count: 2, secondsLeft: 7 });
      return outcome;
    },
  };
  const result = await runCommand(['encode', ...args], { runner: encoding });
  return { ...result, request: requests[0] };
}

describe('encode', () => {
  it('takes the images of the autoencoder, of a preset or of a path', async () => {
    const own = await encode('--with', autoencoder);
    expect(own.status).toBe(0);
    expect(own.request).toMatchObject({
      autoencoder,
      folder: null,
      dtype: 'float16',
      flips: false,
      data: { kind: 'images', source: 'portraits', flip: false, heldOut: 0.1 },
    });
    const preset = await encode('portraits-unet', '--with', autoencoder, '--out', 'there');
    expect(preset.request).toMatchObject({ folder: 'there', flips: true, data: { label: 'skin', flip: true } });
    const path = writePictures(folder);
    const set = ['--set', 'data.heldOut=0.5', '--flips', '--dtype', 'float32'];
    const pictures = await encode(path, '--with', autoencoder, ...set);
    expect(pictures.request).toMatchObject({
      dtype: 'float32',
      flips: true,
      data: { source: path, size: null, heldOut: 0.5, flip: true },
    });
  });

  it('prints what it made, its progress, and one JSON line', async () => {
    const { lines, errors } = await encode('--with', autoencoder, '--json');
    expect(lines.slice(0, -1)).toEqual([
      'latents      4 x 16 x 16 float16, mirrored images too',
      'train        10 images, 1.0 MiB',
      'held out     2 images, 0.5 MiB',
      'mean         0.5000, -1.000',
      'deviation    1.000, 2.250',
      `encoder      ${outcome.encoder}`,
      'folder       where',
      'in           1:01',
    ]);
    expect(JSON.parse(lines.at(-1)!)).toEqual(outcome);
    expect(errors).toContain('latents, 1 of 2 images  0:07 left');
  });

  it('prints its settings and stops with --dry-run', async () => {
    const { request, lines } = await encode('--with', autoencoder, '--dry-run', '--json');
    expect(request).toBeUndefined();
    expect(JSON.parse(lines[0]!)).toMatchObject({ autoencoder, dtype: 'float16' });
  });

  it('tells mistakes, with exit status 2', async () => {
    const faults: [string[], string][] = [
      [[], 'Expected --with the run of an autoencoder; got none.'],
      [['--with', join(folder, 'nothing')], 'the folder of a run'],
      [['--with', autoencoder, '--dtype', 'int8'], 'float16 or float32'],
      [['two-moons-mlp', '--with', autoencoder], '`data` to be images'],
      [['--with', autoencoder, '--set', 'data.heldOut=2'], 'data.heldOut'],
    ];
    for (const [args, message] of faults) {
      const { status, errors } = await encode(...args);
      expect(status).toBe(2);
      expect(errors).toContain(message);
    }
  });
});
