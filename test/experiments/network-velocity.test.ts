import { describe, expect, it } from 'vitest';
import { networkVelocity } from '../../src/experiments/network-velocity.ts';
import { openRunModel, openTrainedRun, withSampler } from '../../src/experiments/trained-run.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

describe('networkVelocity', () => {
  it('is what the network gives for each point with its time and label, whatever is asked at once', async () => {
    const directory = folder();
    await trained(directory, smallConfig('points', { training: { images: 64 } }));
    const run = await openTrainedRun(directory);
    const { model } = await openRunModel(run.config);
    const options = { model, group: 'ema', batch: 4, runtime: run.config.runtime } as const;
    await withSampler(run, options, async (sampler) => {
      const count = 10;
      const x = normalsFromSeeds(Uint32Array.of(7), count * 2);
      const time = Float64Array.from({ length: count }, (_, i) => i / count);
      const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
      const velocity = networkVelocity(sampler, { labels });
      const whole = Float32Array.from(await velocity(x, time, { first: 0, count }));
      for (let first = 0; first < count; first++) {
        const one = await velocity(x.slice(2 * first, 2 * first + 2), time.slice(first, first + 1), {
          first,
          count: 1,
        });
        expect([...(one as Float32Array)]).toEqual([...whole.subarray(2 * first, 2 * first + 2)]);
      }
      const unlabelled = await networkVelocity(sampler)(x, time, { first: 0, count });
      expect(unlabelled).not.toEqual(whole);
    });
  });
});
