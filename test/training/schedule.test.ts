import { describe, expect, it } from 'vitest';
import { constantSchedule, cosineSchedule, type Schedule } from '../../src/training/schedule.ts';

const warmupImages = 1000;
const images = 5000;
const schedules: readonly [string, Schedule][] = [
  ['constant', constantSchedule({ warmupImages })],
  ['cosine', cosineSchedule({ warmupImages, images, finalFraction: 0.1 })],
];

describe.each(schedules)('the %s schedule', (_name, schedule) => {
  it('rises linearly from 0 to its peak during the warm-up', () => {
    expect(schedule(0)).toBe(0);
    expect(schedule(250)).toBeCloseTo(0.25, 12);
    expect(schedule(warmupImages)).toBe(1);
  });

  it('is continuous and never above its peak', () => {
    for (let seen = 1; seen <= images; seen++) {
      expect(Math.abs(schedule(seen) - schedule(seen - 1))).toBeLessThan(2 / warmupImages);
      expect(schedule(seen)).toBeLessThanOrEqual(1);
    }
  });

  it('is a function of images seen, so that batches of any size meet the same rates', () => {
    const rates = (batch: number) =>
      new Map(Array.from({ length: images / batch }, (_, i) => [i * batch, schedule(i * batch)]));
    const [small, large] = [rates(10), rates(50)];
    for (const [seen, rate] of large) expect(small.get(seen)).toBe(rate);
  });
});

describe('the ends of schedules', () => {
  it('constant stays at its peak', () => {
    const schedule = constantSchedule({ warmupImages: 0 });
    expect([0, 1, 1e9].map(schedule)).toEqual([1, 1, 1]);
  });

  it('cosine is halfway down in the middle, ends at its final fraction and stays there', () => {
    const schedule = cosineSchedule({ warmupImages, images, finalFraction: 0.1 });
    expect(schedule((warmupImages + images) / 2)).toBeCloseTo(0.55, 12);
    expect(schedule(images)).toBeCloseTo(0.1, 12);
    expect(schedule(2 * images)).toBeCloseTo(0.1, 12);
  });

  it('cosine with a warm-up as long as the run is defined', () => {
    const schedule = cosineSchedule({ warmupImages: 100, images: 100, finalFraction: 0.5 });
    expect(schedule(99)).toBeCloseTo(0.99, 12);
    expect(schedule(100)).toBe(1);
  });
});
