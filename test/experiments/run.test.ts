import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError, NumericalError } from '../../src/errors.ts';
import { readLog, readRunConfig, runDirectory } from '../../src/experiments/run-directory.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { checkpointPaths, latestCheckpoint, readCheckpoint } from '../../src/training/checkpoint.ts';
import { lockRun } from '../../src/training/run-lock.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';
import { sampled, smallConfig, trained } from './small-runs.ts';

const folder = temporaryFolders();

/** Two finished runs, trained once for all tests that only read. */
const shared = mkdtempSync(join(tmpdir(), 'flowloom-runs-'));
const points = join(shared, 'points');
const pictures = join(shared, 'pictures');
let first: Awaited<ReturnType<typeof trained>>;
beforeAll(async () => {
  first = await trained(points, smallConfig());
  await trained(pictures, smallConfig('pictures'));
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));

const steps = (directory: string) => readLog(runDirectory(directory)).filter(({ kind }) => kind === 'step');

describe('a finished training', () => {
  it('leaves config, environment, log, checkpoints and outcome, and no lock', async () => {
    expect(readdirSync(points).sort()).toEqual(
      ['checkpoints', 'config.json', 'environment.json', 'log.jsonl', 'outcome.json', 'samples'].sort(),
    );
    expect(readRunConfig(points)).toEqual(smallConfig());
    expect(readdirSync(join(points, 'checkpoints'))).toEqual(['000000000512', '000000000640']);
    const environment = JSON.parse(readFileSync(join(points, 'environment.json'), 'utf8'));
    expect(environment).toMatchObject({ node: process.version, provider: 'cpu', threads: 1 });
  });

  it('tells its outcome, which is also in its folder', () => {
    const { outcome } = first;
    expect(JSON.parse(readFileSync(join(points, 'outcome.json'), 'utf8'))).toEqual(outcome);
    expect(outcome).toMatchObject({
      directory: points,
      imagesSeen: 640,
      interrupted: false,
      checkpoint: join(points, 'checkpoints', '000000000640'),
      skippedImages: 0,
    });
    // Layers of 2 + 1 + 16 features, 16, 16 and 2, and 3 embeddings of 16.
    expect(outcome.parameterCount).toBe(19 * 16 + 16 + 16 * 16 + 16 + 16 * 2 + 2 + 3 * 16);
    for (const { samples, loss } of [outcome.validation!, outcome.untrained!, outcome.constant!]) {
      expect(samples).toBe(50);
      expect(loss).toBeGreaterThan(0);
    }
    expect(outcome.validation!.loss).toBeLessThan(outcome.untrained!.loss);
  });

  it('has logged what it told, in order', () => {
    expect(readLog(runDirectory(points))).toEqual(first.events);
    expect(steps(points).map(({ imagesSeen }) => imagesSeen)).toEqual(
      Array.from({ length: 20 }, (_, i) => 32 * (i + 1)),
    );
    const validations = first.events.filter((event) => event.kind === 'validation');
    expect(validations.map(({ imagesSeen }) => imagesSeen)).toEqual([0, 192, 384, 576, 640]);
  });

  it('does nothing when it is resumed', async () => {
    const log = readFileSync(join(points, 'log.jsonl'), 'utf8');
    const { outcome, events } = await trained(points, smallConfig(), { resume: true });
    expect(events).toEqual([]);
    expect({ ...outcome, seconds: 0 }).toEqual({ ...first.outcome, seconds: 0 });
    expect(readFileSync(join(points, 'log.jsonl'), 'utf8')).toBe(log);
  });
});

describe('a training that cannot begin', () => {
  it('is refused in a folder with something in it', async () => {
    await expect(trained(points, smallConfig())).rejects.toThrow(ConfigError);
    await expect(trained(points, smallConfig())).rejects.toThrow('to be a new or empty folder');
  });

  it('is refused when a resumed run is asked for other settings', async () => {
    const other = smallConfig('points', { training: { batchSize: 16 } });
    await expect(trained(points, other, { resume: true })).rejects.toThrow(
      `Expected the config of \`${points}\`; got another one. In experiments/hold-run. Try resuming without other settings.`,
    );
    expect(readRunConfig(points)).toEqual(smallConfig());
  });

  it('is refused when there is no run to resume, and makes no folder', async () => {
    const missing = join(folder(), 'missing');
    await expect(trained(missing, smallConfig(), { resume: true })).rejects.toThrow('to be the folder of a run');
    expect(existsSync(missing)).toBe(false);
  });

  it('is refused while the folder is in use', async () => {
    const directory = folder();
    const giveBack = lockRun(directory);
    await expect(trained(directory, smallConfig())).rejects.toThrow(CheckpointError);
    giveBack();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['data that are missing', smallConfig('pictures', { data: { kind: 'images', source: '/nowhere' } })],
    ['a model that does not fit', smallConfig('pictures', { model: { kind: 'dit', patch: 7, width: 16, heads: 2 } })],
    [
      'guidance without labels in the data',
      smallConfig('points', { data: { kind: 'vectors', source: 'checkerboard' }, sampling: { guidance: 2 } }),
    ],
  ])('because of %s leaves no folder, so that it can begin once that is corrected', async (_what, config) => {
    const directory = join(folder(), 'run');
    await expect(trained(directory, config)).rejects.toThrow('Expected');
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a training that was cut short', () => {
  it('by a kill before its config was written begins in the same folder', async () => {
    const directory = folder();
    mkdirSync(join(directory, 'run.lock'));
    writeFileSync(join(directory, 'config.json.partial'), '{"na');
    const { outcome } = await trained(
      directory,
      smallConfig('points', { training: { images: 32, schedule: { kind: 'constant' } } }),
    );
    expect(outcome.imagesSeen).toBe(32);
  });

  it('by a kill before its first checkpoint begins again when it is resumed', async () => {
    const directory = folder();
    writeFileSync(join(directory, 'config.json'), JSON.stringify(smallConfig()));
    writeFileSync(
      join(directory, 'log.jsonl'),
      '{"kind":"validation","imagesSeen":0,"loss":1,"standardError":0}\n{"ki',
    );
    await trained(directory, smallConfig(), { resume: true });
    const kinds = (events: readonly { kind: string; imagesSeen?: number }[]) =>
      events.map(({ kind, imagesSeen }) => `${kind} ${imagesSeen}`);
    expect(kinds(readLog(runDirectory(directory)))).toEqual(kinds(readLog(runDirectory(points))));
  });

  it('by a loss that is not finite keeps its last checkpoint whole, and can be resumed from it', async () => {
    const directory = folder();
    const training = {
      optimizer: { kind: 'adam', learningRate: 1e25 },
      schedule: { kind: 'constant' },
      checkpoint: { everyImages: 32 },
    };
    const config = smallConfig('points', { training });
    const message =
      /^Expected loss and gradient to be finite after 32 images; got loss .* first in %\d+, the result of call/;
    const failure = trained(directory, config);
    await expect(failure).rejects.toThrow(NumericalError);
    await expect(failure).rejects.toThrow(message);
    const checkpoint = await latestCheckpoint(join(directory, 'checkpoints'));
    expect(checkpoint?.facts.imagesSeen).toBe(32);
    expect((await readCheckpoint(checkpoint!)).size).toBeGreaterThan(0);
    expect(readdirSync(directory)).not.toContain('run.lock');
    // The run is what its config says: it fails in the same way.
    await expect(trained(directory, config, { resume: true })).rejects.toThrow(message);
  });

  it('takes other settings of sampling and runtime when it is resumed, and remembers them', async () => {
    const directory = folder();
    const controller = new AbortController();
    controller.abort();
    const { outcome } = await trained(directory, smallConfig(), { signal: controller.signal });
    expect(outcome).toMatchObject({ interrupted: true, imagesSeen: 0, validation: null, constant: null });
    const other = smallConfig('points', { runtime: { threads: 2 }, sampling: { solver: { kind: 'euler' } } });
    await trained(directory, other, { resume: true });
    expect(readRunConfig(directory)).toEqual(other);
  });
});

describe('samples of a run', () => {
  it('are written as arrays that can be read', async () => {
    const arraysPath = join(folder(), 'new', 'samples.npz');
    const { outcome, events } = await sampled(points, { seeds: [5, 6, 7, 8, 9, 10, 11, 12, 13], arraysPath });
    expect(outcome).toMatchObject({ samples: 9, evaluations: 8, converged: true, paths: [arraysPath] });
    const arrays = readNpz(readFileSync(arraysPath));
    expect(arrays.get('samples')).toMatchObject({ dtype: 'float32', shape: [9, 2] });
    expect([...arrays.get('seeds')!.data]).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect([...arrays.get('labels')!.data]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0]);
    expect([...arrays.get('evaluations')!.data]).toEqual(new Array(9).fill(8));
    expect(events.map((event) => event.kind === 'sample' && [event.done, event.count])).toEqual([
      [8, 9],
      [9, 9],
    ]);
  });

  async function arraysOf(directory: string, change: Parameters<typeof sampled>[1] = {}): Promise<number[]> {
    const arraysPath = join(folder(), 'samples.npz');
    await sampled(directory, { arraysPath, ...change });
    return [...(readNpz(readFileSync(arraysPath)).get('samples')!.data as Float32Array)];
  }

  it('are the same from the folder of the run and of its newest checkpoint, others from an older one', async () => {
    const [old, newest] = await checkpointPaths(join(points, 'checkpoints'));
    const samples = await arraysOf(points);
    expect(await arraysOf(newest)).toEqual(samples);
    expect(await arraysOf(`${newest}/`)).toEqual(samples);
    expect(await arraysOf(old)).not.toEqual(samples);
  });

  it('depend on average or raw parameters, label and guidance', async () => {
    const samples = await arraysOf(points, { labels: [1, 1, 1] });
    expect(await arraysOf(points, { labels: [1, 1, 1], ema: false })).not.toEqual(samples);
    expect(await arraysOf(points, { labels: [0, 0, 0] })).not.toEqual(samples);
    expect(await arraysOf(points, { labels: [1, 1, 1], sampling: { guidance: 2 } })).not.toEqual(samples);
    expect(await arraysOf(points, { labels: [1, 1, 1], sampling: { guidance: 1 } })).toEqual(samples);
  });

  it('count the evaluations of guidance twice', async () => {
    expect((await sampled(points, { sampling: { guidance: 2 } })).outcome.evaluations).toBe(16);
  });

  it('are drawn as grid, trajectories and single pictures', async () => {
    const place = folder();
    const [gridPath, trajectoryPath, imagesPath] = ['grid.png', 'way.png', 'images'].map((name) => join(place, name));
    const { outcome } = await sampled(pictures, { gridPath, trajectoryPath, imagesPath });
    expect(outcome.paths).toEqual([gridPath, trajectoryPath, imagesPath]);
    const size = async (path: string) => {
      const { width, height } = await sharp(path).metadata();
      return [width, height];
    };
    // 64 pixels each and 2 between them: 2 columns and 2 rows; 5 times in a row.
    expect(await size(gridPath)).toEqual([2 * 66 + 2, 2 * 66 + 2]);
    expect(await size(trajectoryPath)).toEqual([5 * 66 + 2, 3 * 66 + 2]);
    expect(readdirSync(imagesPath).sort()).toEqual(['0.png', '1.png', '2.png']);
    expect(await size(join(imagesPath, '1.png'))).toEqual([64, 64]);
  });

  it('of an adaptive solver show times along the way', async () => {
    const trajectoryPath = join(folder(), 'way.png');
    const solver = { ...smallConfig('points', { sampling: { solver: { kind: 'dopri5' } } }).sampling.solver };
    await sampled(pictures, { seeds: [1], trajectoryPath, sampling: { solver } });
    expect((await sharp(trajectoryPath).metadata()).width).toBe(11 * 66 + 2);
  });

  it.each<[string, Parameters<typeof sampled>[1], string]>([
    ['no seeds', { seeds: [] }, 'Expected at least one seed; got none.'],
    ['a seed that is too large', { seeds: [2 ** 32] }, 'Expected seeds to be integers in [0, 2^32); got 4294967296.'],
    ['too few labels', { labels: [0] }, 'Expected a label for each of the 3 seeds; got 1 labels.'],
    [
      'labels that are no classes',
      { labels: [0, 1, 3] },
      'Expected labels in [0, 2], where 2 is the null class; got 3.',
    ],
    ['half labels', { labels: [0, 1, 0.5] }, 'Expected labels to be integers; got 0.5.'],
    ['pictures of vectors', { gridPath: 'grid.png' }, 'Expected samples that are images, to draw them; got vectors.'],
  ])('are refused with %s', async (_what, change, message) => {
    await expect(sampled(points, change)).rejects.toThrow(ConfigError);
    await expect(sampled(points, change)).rejects.toThrow(message);
  });

  it('are refused where nothing is trained', async () => {
    const directory = folder();
    await expect(sampled(directory)).rejects.toThrow('to be the folder of a run');
    writeFileSync(join(directory, 'config.json'), JSON.stringify(smallConfig()));
    await expect(sampled(directory)).rejects.toThrow('to hold a checkpoint; got none');
  });

  it('end when they are interrupted', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(sampled(points, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
