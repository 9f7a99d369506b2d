/**
 * Kills a training at random moments, resumes it each time, and compares the end with that of the same training left alone.
 * Usage: node --import tsx scripts/kill-and-resume.ts [--kills 20] [--seed 0] [--preset two-moons-mlp] [--set path=value ...]
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { finalState, loggedLosses, type Training, trainKilled, trainToEnd, trainWhole } from './killed-training.ts';

/** A run of seconds that writes a checkpoint every four steps, so that many kills meet one that is being written. */
const shortRun = [
  'training.images=614400',
  'training.checkpoint.everyImages=2048',
  'training.log.everyImages=2048',
  'training.validation.everyImages=51200',
  'sampling.perClass=16',
];

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '0' },
    preset: { type: 'string', default: 'two-moons-mlp' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

const kills = Number(values.kills);
const training: Training = {
  source: values.preset,
  set: [...(values.preset === 'two-moons-mlp' ? shortRun : []), ...values.set],
};
const folder = mkdtempSync(join(tmpdir(), 'flowloom-kills-'));
const [alone, killed] = [join(folder, 'alone'), join(folder, 'killed')];

const whole = await trainWhole(training, alone);
console.log(
  `left alone: ${(whole.startMs / 1000).toFixed(1)} s to start, ${(whole.trainingMs / 1000).toFixed(1)} s of training`,
);
const done = await trainKilled(training, killed, { kills, seed: Number(values.seed), whole });
await trainToEnd(training, killed);

console.log('kill  moment             checkpoint     logged  unfinished');
for (const [i, { phase, afterMs, checkpoint, logged, unfinished }] of done.entries()) {
  const moment = `${phase} + ${afterMs.toFixed(0)} ms`;
  const cells = [
    String(i + 1).padStart(4),
    moment.padEnd(17),
    String(checkpoint ?? '-').padStart(10),
    String(logged ?? '-').padStart(9),
  ];
  console.log(`${cells.join('  ')}  ${unfinished.join(', ')}`);
}

const [wanted, got] = [await finalState(alone), await finalState(killed)];
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
const sameState = wanted.equals(got);
const sameLog = loggedLosses(alone).join('\n') === loggedLosses(killed).join('\n');
console.log(
  `final state, ${wanted.length} bytes: ${digest(wanted)} left alone, ${digest(got)} after ${done.length} kills`,
);
console.log(
  `${sameState ? 'bit-identical' : 'DIFFERENT'} state, ${sameLog ? 'the same' : 'ANOTHER'} log of losses and checkpoints`,
);
rmSync(folder, { recursive: true, force: true });
process.exitCode = sameState && sameLog && done.length === kills ? 0 : 1;
