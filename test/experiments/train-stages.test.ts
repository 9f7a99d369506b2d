import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runner } from '../../src/experiments/run.ts';
import { readAnyRunConfig, readRunConfig } from '../../src/experiments/run-directory.ts';
import type { RunEvent } from '../../src/experiments/run-types.ts';
import { parseStagesConfig, type StagesConfig, stageFolders } from '../../src/experiments/stages-config.ts';
import type { StagesOutcome, StagesRequest } from '../../src/experiments/stages-request.ts';
import { writePictures } from './small-autoencoders.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-stages-'));
let config: StagesConfig;
let whole: StagesOutcome;

beforeAll(async () => {
  const data = { kind: 'images', source: writePictures(folder, 16), heldOut: 0.2, flip: true } as const;
  const training = { batchSize: 4, checkpoint: { everyImages: 8 }, log: { everyImages: 4 } };
  const runtime = { threads: 1 };
  config = parseStagesConfig(
    {
      name: 'small',
      seed: 3,
      stages: {
        autoencoder: {
          data,
          autoencoder: { kind: 'vq', size: 16, channels: 8, groups: 4, multipliers: [1, 1], blocks: 1, codes: 16 },
          training: { ...training, images: 16 },
          runtime,
        },
        flow: {
          data,
          model: { kind: 'dit', patch: 2, width: 16, depth: 1, heads: 2, labels: true },
          training: { ...training, images: 16 },
          sampling: { solver: { kind: 'euler', steps: 2 }, perClass: 3 },
          runtime,
        },
        metrics: { metrics: ['frechet'], features: 'pixels', count: 4, referenceCount: 4 },
      },
    },
    'small',
  );
  whole = (await staged(join(folder, 'whole'))).outcome;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function staged(directory: string, change: Partial<StagesRequest> = {}) {
  const events: RunEvent[] = [];
  const { onEvent = () => {}, ...rest } = change;
  const outcome = await runner.trainStages({
    config,
    directory,
    resume: false,
    signal: new AbortController().signal,
    ...rest,
    onEvent(event) {
      events.push(event);
      onEvent(event);
    },
  });
  return { outcome, notes: events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])), events };
}

/** The parts of an outcome that do not depend on clocks and folders. */
function result({ stages }: StagesOutcome) {
  return {
    reconstruction: stages.autoencoder?.reconstruction?.loss,
    normalization: stages.latents?.normalization,
    validation: stages.flow?.validation,
    metrics: stages.metrics?.record.metrics,
  };
}

describe('stages', () => {
  it('train an autoencoder, encode, train a flow, make samples and measure them', () => {
    expect(whole.interrupted).toBe(false);
    const folders = stageFolders(join(folder, 'whole'));
    const { autoencoder, latents, flow, samples, metrics } = whole.stages;
    expect(autoencoder).toMatchObject({ directory: folders.autoencoder, imagesSeen: 16, interrupted: false });
    expect(latents).toMatchObject({ folder: folders.latents, shape: [4, 8, 8], flips: true });
    expect(flow).toMatchObject({ directory: folders.flow, imagesSeen: 16 });
    expect(existsSync(flow!.curve)).toBe(true);
    expect(samples).toMatchObject({ samples: 6, grid: join(folders.samples, 'grid.png'), rowNames: ['0', '1'] });
    expect(statSync(samples!.grid).size).toBeGreaterThan(100);
    expect(metrics?.record.metrics[0]).toMatchObject({ name: 'frechet-distance' });
    expect(metrics?.paths).toEqual([join(folders.metrics, 'metrics.json')]);
    expect(readRunConfig(folders.flow).latent).toMatchObject({
      run: folders.autoencoder,
      cache: folders.latents,
      encoder: latents?.encoder,
      normalization: latents?.normalization,
    });
    expect(JSON.parse(readFileSync(join(folder, 'whole', 'outcome.json'), 'utf8')).stages).toEqual(whole.stages);
  });

  it.each(['autoencoder', 'flow'] as const)(
    'interrupted in %s go on there, also in a folder that was moved, to the same end',
    async (stage) => {
      const directory = join(folder, `interrupted-${stage}`);
      const controller = new AbortController();
      const first = await staged(directory, {
        signal: controller.signal,
        onEvent: (event) => {
          if (
            event.kind === 'checkpoint' &&
            event.imagesSeen === 8 &&
            event.path.includes(join(stage, 'checkpoints'))
          ) {
            controller.abort();
          }
        },
      });
      expect(first.outcome.interrupted).toBe(true);
      expect(first.outcome.stages[stage]).toBeNull();
      const moved = `${directory}-moved`;
      renameSync(directory, moved);
      const rest = await staged(moved, { resume: true });
      const doneBefore = stage === 'flow' ? ['autoencoder', 'latents'] : [];
      const names = ['autoencoder', 'latents', 'flow', 'samples', 'metrics'];
      expect(rest.notes.filter((text) => text.startsWith('Stage'))).toEqual(
        names.map((name, i) => `Stage ${i + 1} of 5, ${name}${doneBefore.includes(name) ? ': done before' : ''}`),
      );
      const steps = rest.events.filter((event) => event.kind === 'step');
      expect(steps[0]?.imagesSeen).toBe(12);
      expect(steps.length).toBe(stage === 'flow' ? 2 : 2 + 4);
      expect(result(rest.outcome)).toEqual(result(whole));
    },
  );

  it('are done once', async () => {
    const { outcome, events } = await staged(join(folder, 'whole'), { resume: true });
    expect(outcome.stages).toEqual(whole.stages);
    expect(events.every((event) => event.kind === 'note' && event.text.endsWith('done before'))).toBe(true);
  });

  it('go on with their own settings only', async () => {
    const changed = { ...config, stages: { ...config.stages, samples: { perClass: 7 } } };
    await expect(staged(join(folder, 'whole'), { resume: true, config: changed })).rejects.toThrow('the config of');
    await expect(staged(join(folder, 'whole'))).rejects.toThrow('to be a new or empty folder');
  });

  it('hold runs that other commands take, and are none themselves', () => {
    const directory = join(folder, 'whole');
    expect(readAnyRunConfig(directory)).toEqual(config);
    expect(() => readRunConfig(directory)).toThrow(join(directory, 'flow'));
    expect(readRunConfig(join(directory, 'flow')).name).toBe('small');
  });
});
