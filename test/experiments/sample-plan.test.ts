import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/experiments/read-config.ts';
import { gridPlan } from '../../src/experiments/sample-plan.ts';

const planOf = (...set: string[]) => gridPlan(readConfig('portraits-unet', { set: ['sampling.perClass=2', ...set] }));

describe('the grid of a run', () => {
  it('has a row for each class, with seeds that count on', async () => {
    const { seeds, labels, columns, rowNames } = await planOf();
    expect(seeds).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(labels).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect([columns, rowNames?.length]).toEqual([2, 6]);
  });

  it('has some of many classes, spread evenly', async () => {
    const all = (await planOf('sampling.classes=null')).rowNames;
    const { seeds, labels, rowNames } = await planOf('sampling.classes=4');
    expect(seeds).toHaveLength(8);
    expect(labels).toEqual([0, 0, 1, 1, 3, 3, 4, 4]);
    expect(rowNames).toEqual([0, 1, 3, 4].map((label) => all?.[label]));
  });

  it('of weights from elsewhere, without data, has ten of a thousand classes', async () => {
    const { labels } = await gridPlan(readConfig('dit-s-2'));
    expect(labels).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  it('is a square of a model without labels', async () => {
    const { seeds, labels, columns, rowNames } = await planOf('model.labels=false', 'sampling.guidance=null');
    expect([seeds, labels, columns, rowNames]).toEqual([[0, 1, 2, 3], null, 2, null]);
  });
});
