/** The program as a process: signals and exit statuses. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from '../source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-process-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly errors: string;
}

/** Runs the program; `onError` hears what it has written to standard error so far. */
function flowloom(
  args: readonly string[],
  onError: (text: string, stop: () => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], { cwd: root });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
    onError(errors, () => child.kill('SIGINT'));
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, errors })));
}

it('saves a checkpoint on SIGINT, ends with 130, and goes on when asked to', async () => {
  const run = join(folder, 'run');
  const set = ['training.batchSize=64', 'training.images=64000', 'model.hidden=[16]', 'training.log.everyImages=64'];
  const changes = set.flatMap((change) => ['--set', change]);
  let stopped = false;
  const first = await flowloom(['train', 'two-moons-mlp', '--run', run, ...changes], (text, stop) => {
    if (stopped || !text.includes(' loss ')) return;
    stopped = true;
    stop();
  });
  expect(first.errors).toContain(`To go on: flowloom train --resume ${run}`);
  expect(first.status).toBe(130);
  expect(readdirSync(join(run, 'checkpoints')).length).toBeGreaterThan(0);
  const second = await flowloom(['train', '--resume', run]);
  expect(second.errors).toContain(`Resuming two-moons-mlp in ${run}`);
  expect(second.status).toBe(0);
  for (const file of ['training-curve.svg', join('samples', 'samples.npz'), 'outcome.json']) {
    expect(existsSync(join(run, file)), file).toBe(true);
  }
});

it('survives a reader that leaves early', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'train', 'fashion-unet', '--dry-run'], {
    cwd: root,
  });
  child.stdout.destroy();
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  expect(errors).not.toContain('EPIPE');
});
