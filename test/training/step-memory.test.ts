import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('measure-step.ts', import.meta.url));

interface Measurement {
  readonly measured: number;
  readonly stateBytes: number;
  readonly betweenBytes: number;
}

function measure(rematerialise: string): Measurement {
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, rematerialise]);
  return JSON.parse(output.toString()) as Measurement;
}

it.runIf(existsSync('/proc/self/clear_refs'))(
  'a step takes the memory that is estimated, and less than half of it with its blocks rematerialised',
  () => {
    const [kept, cheap, again] = [measure('nothing'), measure('cheap'), measure('blocks')];
    expect(cheap.measured).toBeLessThan(0.97 * kept.measured);
    expect(again.measured).toBeLessThan(0.5 * kept.measured);
    for (const { measured, stateBytes, betweenBytes } of [kept, cheap, again]) {
      const ratio = measured / (stateBytes + betweenBytes);
      expect(ratio).toBeGreaterThan(0.75);
      expect(ratio).toBeLessThan(1.35);
    }
  },
  180_000,
);
