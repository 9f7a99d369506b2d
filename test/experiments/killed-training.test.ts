import { join } from 'node:path';
import { expect, it } from 'vitest';
import { finalState, loggedLosses, trainKilled } from '../../scripts/killed-training.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { trained } from './small-runs.ts';

const folder = temporaryFolders();

// scripts/kill-and-resume.ts does the same with 20 kills and prints what each of them left behind.
it.each([
  ['independent noise', []],
  [
    'noises that are kept and exchanged',
    ['coupling.kind=loom', 'coupling.caches=2', 'data.count=2000', 'training.batchSize=256'],
  ],
])(
  'a training with %s, killed at random moments and resumed, is bit for bit the one left alone',
  async (_name, coupling) => {
    const place = folder();
    const [alone, killed] = [join(place, 'alone'), join(place, 'killed')];
    const source = 'two-moons-mlp';
    const set = [
      'training.images=51200',
      'training.schedule.warmupImages=1024',
      'training.checkpoint.everyImages=1024',
      'training.log.everyImages=1024',
      'runtime.threads=1',
      ...coupling,
    ];
    const config = readConfig(source, { set });
    await trained(alone, config);
    // Short times: 50 checkpoints take longer on any machine.
    const whole = { startMs: 1000, trainingMs: 150 };
    const kills = await trainKilled({ source, set }, killed, { kills: 3, seed: 0, whole });
    expect(kills.length).toBeGreaterThan(0);
    await trained(killed, config, { resume: true });
    expect((await finalState(killed)).equals(await finalState(alone))).toBe(true);
    expect(loggedLosses(killed)).toEqual(loggedLosses(alone));
  },
  180_000,
);
