import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAutoencoderRun } from '../../src/experiments/autoencoder-run.ts';
import type { EncodeRequest } from '../../src/experiments/encode-request.ts';
import { readEncodeSettings } from '../../src/experiments/encode-settings.ts';
import { runner } from '../../src/experiments/run.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { writeAutoencoderRun, writePictures } from './small-autoencoders.ts';
import { smallConfig, trained } from './small-runs.ts';

let folder = '';
let autoencoder = '';
let source = '';
const cacheBefore = process.env.FLOWLOOM_CACHE;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flowloom-encode-'));
  process.env.FLOWLOOM_CACHE = join(folder, 'user');
  autoencoder = await writeAutoencoderRun(join(folder, 'vq'), 1);
  source = writePictures(folder);
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env.FLOWLOOM_CACHE;
  else process.env.FLOWLOOM_CACHE = cacheBefore;
  rmSync(folder, { recursive: true });
});

async function encoded(change: Partial<EncodeRequest> = {}) {
  const settings = readEncodeSettings({ source, autoencoder, folder: null, dtype: 'float16', flips: true, set: [] });
  const events: RunEvent[] = [];
  const { signal } = new AbortController();
  const onEvent = (event: RunEvent) => void events.push(event);
  return { outcome: await runner.encode({ ...settings, signal, onEvent, ...change }), events };
}

describe('encoding a data set', () => {
  it('tells where the latents are, what they are, and how they vary', async () => {
    const { outcome, events } = await encoded();
    const { hash } = await openAutoencoderRun(autoencoder);
    expect(outcome).toMatchObject({ encoder: hash, dtype: 'float16', flips: true, shape: [4, 4, 4] });
    expect(outcome.parts).toEqual([
      { part: 'train', images: 27, bytes: 27 * 2 * 64 * 2 },
      { part: 'held out', images: 3, bytes: 3 * 64 * 2 },
    ]);
    expect(outcome.normalization.deviation.every((value) => value > 0)).toBe(true);
    expect(events.filter((event) => event.kind === 'work').map(({ done, count }) => [done, count])).toEqual([
      [54, 54],
      [3, 3],
    ]);
    const again = await encoded();
    expect(again.events).toEqual([]);
    expect({ ...again.outcome, seconds: 0 }).toEqual({ ...outcome, seconds: 0 });
  });

  it('serves a training that names no cache', async () => {
    const config = smallConfig('pictures', {
      data: { kind: 'images', source, flip: true },
      latent: { kind: 'autoencoder', run: autoencoder },
      model: { kind: 'dit', patch: 2, width: 16, depth: 1, heads: 2 },
    });
    const { events } = await trained(join(folder, 'flow'), config);
    expect(events.filter((event) => event.kind === 'work')).toEqual([]);
  });

  it('that is aborted ends with the reason, and is gone on with', async () => {
    const out = join(folder, 'aborted');
    await expect(encoded({ folder: out, signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    const { outcome } = await encoded({ folder: out });
    expect(outcome.folder).toBe(out);
    expect(outcome.normalization).toEqual((await encoded()).outcome.normalization);
  });
});
