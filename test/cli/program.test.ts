import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { NumericalError } from '../../src/errors.ts';
import { readConfig } from '../../src/experiments/read-config.ts';
import { fakeRunner, runCommand } from './run-command.ts';

const failing = (error: unknown) => ({ runner: fakeRunner(() => Promise.reject(error)).runner });
const train = ['train', 'two-moons-mlp', '--run', 'unused'];

describe('the program', () => {
  it('explains itself and each command', async () => {
    const { status, lines } = await runCommand(['--help']);
    expect(status).toBe(0);
    for (const command of ['start', 'train', 'sample', 'reproduce', 'doctor', 'analyze curvature']) {
      const [name] = command.split(' ');
      expect(lines.some((line) => line.trim().startsWith(name!))).toBe(true);
      const help = await runCommand([...command.split(' '), '--help']);
      expect(help.status).toBe(0);
      for (const flag of ['--json', '--dry-run', '--seed', '--help']) expect(help.lines.join('\n')).toContain(flag);
    }
  });

  it('knows its version', async () => {
    const { status, lines } = await runCommand(['--version']);
    expect(status).toBe(0);
    expect(lines.join()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    [['tran'], "unknown command 'tran'"],
    [['train', 'fashion-unet', '--sett', 'a=1'], "unknown option '--sett'"],
    [['train', 'fashion-unet', '--seed', '-1'], 'Expected an integer in [0, 4294967295]'],
    [['train', 'fashion-unt'], 'Try fashion-unet.'],
    [['train'], 'Expected a preset or a config file; got none'],
    [
      ['train', 'fashion-unet', '--set', 'training.batchSize=0', '--set', 'seed=-1'],
      'The config fashion-unet has 2 faults:',
    ],
    [['train', 'x.yaml', '--resume', 'r'], 'Expected --resume without a preset'],
    [['sample', 'no-such-run'], 'to be the folder of a run'],
    [['doctor', '--golden', 'no-such-file'], 'to be a golden file'],
    [['analyze', 'curvatur', 'run'], "unknown command 'curvatur'"],
    [['analyze', 'curvature'], "missing required argument 'run'"],
    [['analyze', 'curvature', 'no-such-run'], 'to be the folder of a run'],
  ] as const)('answers the mistake %j with status 2 and a sentence', async (args, message) => {
    const { status, errors, lines } = await runCommand(args);
    expect(status).toBe(2);
    expect(errors).toContain(message);
    expect(errors).not.toContain('    at ');
    expect(lines).toEqual([]);
  });

  it('answers a failure with status 1 and its message alone', async () => {
    const error = new NumericalError({ expected: 'a finite loss', got: 'NaN', where: 'training' });
    const { status, errors } = await runCommand(train, failing(error));
    expect(status).toBe(1);
    expect(errors.trim().split('\n').at(-1)).toBe('Expected a finite loss; got NaN. In training.');
  });

  it('asks to report a defect, and shows the stack on demand', async () => {
    const quiet = await runCommand(train, failing(new TypeError('x is not a function')));
    expect(quiet.status).toBe(1);
    expect(quiet.errors).toContain('Internal error, please report: x is not a function');
    expect(quiet.errors).not.toContain('    at ');
    const loud = await runCommand(train, { ...failing(new TypeError('x')), debug: true });
    expect(loud.errors).toContain('    at ');
  });

  it('ends with 130 when a command is aborted', async () => {
    const { status } = await runCommand(train, failing(new DOMException('aborted', 'AbortError')));
    expect(status).toBe(130);
  });
});

describe('--dry-run', () => {
  it('prints the complete config as YAML, or as one JSON line, and does nothing', async () => {
    const changes = ['--set', 'training.batchSize=32', '--seed', '7', '--dry-run'];
    const wanted = readConfig('two-moons-mlp', { set: ['training.batchSize=32'], seed: 7 });
    const yaml = await runCommand(['train', 'two-moons-mlp', ...changes]);
    expect(parse(yaml.lines.join('\n'))).toEqual(wanted);
    const json = await runCommand(['train', 'two-moons-mlp', ...changes, '--json']);
    expect(json.lines).toHaveLength(1);
    expect(JSON.parse(json.lines[0]!)).toEqual(wanted);
    expect((await runCommand(['start', '--dry-run'])).status).toBe(0);
  });
});
