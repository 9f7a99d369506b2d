import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { claimRunPath, nextRunPath } from '../../src/experiments/run-path.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-runs-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('runs are numbered in the order of their making, whatever their names', () => {
  const parent = join(folder, 'runs');
  expect(nextRunPath('a', parent)).toBe(join(parent, '1-a'));
  expect(claimRunPath('a', parent)).toBe(join(parent, '1-a'));
  expect(claimRunPath('b', parent)).toBe(join(parent, '2-b'));
  rmSync(join(parent, '1-a'), { recursive: true });
  expect(claimRunPath('a', parent)).toBe(join(parent, '3-a'));
  expect(readdirSync(parent).sort()).toEqual(['2-b', '3-a']);
});
