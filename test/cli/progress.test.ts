import { describe, expect, it } from 'vitest';
import { withInterrupt } from '../../src/cli/interrupt.ts';
import { createProgress, describeEvent, formatDuration, showEvent } from '../../src/cli/progress.ts';
import { recordedTerminal } from './run-command.ts';

describe('progress', () => {
  it('is one line that is written over where a person watches', () => {
    const terminal = recordedTerminal(true);
    const progress = createProgress(terminal);
    progress.show('one');
    progress.show('two');
    progress.print('stays');
    progress.end();
    const clear = '\r\u001b[2K';
    expect(terminal.errors).toBe(`${clear}one${clear}two${clear}stays\n${clear}two${clear}`);
  });

  it('never wraps the terminal', () => {
    const terminal = recordedTerminal(true);
    createProgress(terminal).show('x'.repeat(100));
    expect(terminal.errors.replace('\r\u001b[2K', '')).toHaveLength(39);
  });

  it('is a plain line now and then elsewhere, and what stays is printed at once', () => {
    const terminal = recordedTerminal(false);
    const progress = createProgress(terminal);
    for (terminal.timeMs = 0; terminal.timeMs < 25_000; terminal.timeMs += 1_000)
      progress.show(`at ${terminal.timeMs}`);
    progress.print('stays');
    progress.end();
    expect(terminal.errors).toBe('at 0\nat 10000\nat 20000\nstays\n');
  });

  it('tells the cost of a coupling, and the inequality of shares where there is one', () => {
    const event = { kind: 'coupling', imagesSeen: 1280, cost: 12.345, standardError: 0.251, pairs: 4096 } as const;
    expect(describeEvent(event)).toBe('1,280 images: transport cost 12.35 ± 0.25 of 4,096 pairs');
    expect(describeEvent({ ...event, chiSquared: { value: 0.0291, standardError: 0.0074 } })).toBe(
      '1,280 images: transport cost 12.35 ± 0.25 of 4,096 pairs, chi-squared of the shares 0.029 ± 0.007',
    );
  });

  it('tells a step with loss, rate and time left', () => {
    const event = {
      kind: 'step',
      imagesSeen: 12_800,
      images: 70_144,
      loss: 0.31251,
      gradientNorm: 1,
      learningRate: 1,
    } as const;
    expect(describeEvent({ ...event, imagesPerSecond: 351.2, secondsLeft: 163.4, hostShare: 0 })).toBe(
      '12,800 of 70,144 images  loss 0.3125  351 images/s  2:43 left',
    );
    const measured = { ...event, imagesPerSecond: 351.2, secondsLeft: 163.4, hostShare: 0 };
    expect(describeEvent({ ...measured, peakMemoryBytes: 812.3 * 2 ** 20 })).toMatch(
      / {2}2:43 left {2}at most 812 MiB$/,
    );
    expect(describeEvent({ ...measured, lossScale: { value: 32_768, skipped: 0 } })).toMatch(
      /loss 0.3125 {2}loss scale 2\^15 {2}351/,
    );
    expect(describeEvent({ ...measured, lossScale: { value: 1, skipped: 1234 } })).toMatch(
      / {2}loss scale 2\^0, 1,234 updates skipped {2}/,
    );
    expect(describeEvent({ ...measured, peakMemoryBytes: 2.25 * 2 ** 30 })).toMatch(/at most 2\.3 GiB$/);
  });

  it('tells pieces of work with the time left, each in the place of the last', () => {
    const event = { kind: 'work', done: 1_200, count: 3_000, unit: 'batches', secondsLeft: 75 } as const;
    expect(describeEvent(event)).toBe('1,200 of 3,000 batches  1:15 left');
    expect(describeEvent({ ...event, what: 'a: trajectories' })).toBe(
      'a: trajectories, 1,200 of 3,000 batches  1:15 left',
    );
    const terminal = recordedTerminal(true);
    showEvent(createProgress(terminal), { ...event, done: 1, count: 2 });
    expect(terminal.errors).toBe('\r\u001b[2K1 of 2 batches  1:15 left');
  });

  it('tells durations as people do', () => {
    expect([0, 7.4, 59.6, 200, 7_500, Number.POSITIVE_INFINITY].map(formatDuration)).toEqual([
      '0:00',
      '0:07',
      '1:00',
      '3:20',
      '2:05:00',
      '?',
    ]);
  });
});

describe('an interrupt', () => {
  it('aborts the signal, and listeners are gone afterwards', async () => {
    const before = process.listenerCount('SIGINT');
    const aborted = await withInterrupt(recordedTerminal(), async (signal) => {
      process.emit('SIGINT', 'SIGINT');
      return signal.aborted;
    });
    expect(aborted).toBe(true);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
