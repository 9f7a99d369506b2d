import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, DataError, NumericalError } from '../../src/errors.ts';
import { safetensor } from '../../src/formats/safetensors.ts';
import {
  type CheckpointTensors,
  checkpointPaths,
  latestCheckpoint,
  openCheckpoint,
  readCheckpoint,
  writeCheckpoint,
} from '../../src/training/checkpoint.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';

const folder = temporaryFolders();
const tensors: CheckpointTensors = new Map([
  ['parameters.a', { shape: [2, 3], data: Float32Array.of(1, -0, 3, Number.MIN_VALUE, 5, 6) }],
  ['parameters.b', { shape: [], data: Float32Array.of(7) }],
  ['coupling.seeds', { shape: [2], data: Uint32Array.of(1, 0xffffffff) }],
]);

const write = (path: string, imagesSeen: number, keep = 10) =>
  writeCheckpoint(path, { tensors, imagesSeen, updates: imagesSeen / 10, seed: 3 }, { keep });

it('that is spared stays, however many newer ones there are', async () => {
  const path = folder();
  const content = { tensors: new Map(), updates: 0, seed: 3 };
  for (const imagesSeen of [10, 20, 30, 40]) {
    await writeCheckpoint(path, { ...content, imagesSeen }, { keep: 1, spared: 20 });
  }
  expect((await checkpointPaths(path)).map((one) => Number(basename(one)))).toEqual([20, 40]);
  await writeCheckpoint(path, { ...content, imagesSeen: 50 }, { keep: 1 });
  expect((await checkpointPaths(path)).map((one) => Number(basename(one)))).toEqual([50]);
});

describe('a checkpoint', () => {
  it('comes back as it was written', async () => {
    const path = folder();
    const written = await write(path, 640);
    const checkpoint = await latestCheckpoint(path);
    expect(checkpoint).toMatchObject({ path: written, facts: { format: 1, imagesSeen: 640, updates: 64, seed: 3 } });
    expect(await readCheckpoint(checkpoint!)).toEqual(tensors);
    expect([...(await readCheckpoint(checkpoint!, 'parameters.')).keys()]).toEqual(['parameters.a', 'parameters.b']);
  });

  it('fetches tensors one after the other, and leaves nothing where one cannot be had', async () => {
    const path = folder();
    const order: string[] = [];
    const fetchable = (name: string, values: readonly number[] | null) => {
      const fetch = async () => {
        order.push(name);
        if (values === null) throw new NumericalError('not finite');
        return safetensor(Float32Array.from(values));
      };
      return [name, { dtype: 'F32', shape: [2], fetch }] as const;
    };
    const content = { imagesSeen: 10, updates: 1, seed: 3 };
    await writeCheckpoint(
      path,
      { ...content, tensors: new Map([fetchable('b', [3, 4]), fetchable('a', [1, 2])]) },
      { keep: 9 },
    );
    const read = await readCheckpoint((await latestCheckpoint(path))!);
    expect([...read.values()].map(({ data }) => data)).toEqual([Float32Array.of(1, 2), Float32Array.of(3, 4)]);
    expect(order).toEqual(['a', 'b']);
    const broken = new Map([fetchable('a', [1, 2]), fetchable('b', null)]);
    await expect(writeCheckpoint(path, { ...content, imagesSeen: 20, tensors: broken }, { keep: 9 })).rejects.toThrow(
      'not finite',
    );
    expect(readdirSync(path)).toEqual(['000000000010']);
  });

  it('replaces one of the same number', async () => {
    const path = folder();
    await write(path, 640);
    await writeCheckpoint(path, { tensors: new Map(), imagesSeen: 640, updates: 0, seed: 3 }, { keep: 10 });
    expect((await readCheckpoint((await latestCheckpoint(path))!)).size).toBe(0);
  });

  it('is the newest by number of images, and the newest ones are kept', async () => {
    const path = folder();
    for (const imagesSeen of [9, 100, 20, 1000]) await write(path, imagesSeen, 3);
    expect(await checkpointPaths(path)).toEqual([20, 100, 1000].map((n) => join(path, String(n).padStart(12, '0'))));
    expect((await latestCheckpoint(path))?.facts.imagesSeen).toBe(1000);
    await write(path, 2000, Number.POSITIVE_INFINITY);
    expect(await checkpointPaths(path)).toHaveLength(4);
  });

  it('is none in a folder that is empty or missing', async () => {
    expect(await latestCheckpoint(folder())).toBeNull();
    expect(await latestCheckpoint(join(folder(), 'missing'))).toBeNull();
  });
});

describe('a writer that was killed', () => {
  it('leaves a partial folder that nobody reads and the next writer removes', async () => {
    const path = folder();
    await write(path, 10);
    for (const name of ['000000000020.partial', '000000000005.partial']) {
      mkdirSync(join(path, name));
      writeFileSync(join(path, name, 'state.safetensors'), 'half');
    }
    expect((await latestCheckpoint(path))?.facts.imagesSeen).toBe(10);
    await write(path, 20);
    expect(readdirSync(path)).toEqual(['000000000010', '000000000020']);
  });
});

describe('a damaged checkpoint', () => {
  async function damagedBy(damage: (path: string) => void): Promise<unknown> {
    const written = await write(folder(), 640);
    damage(written);
    return openCheckpoint(written)
      .then(readCheckpoint)
      .catch((error: unknown) => error);
  }
  const rewriteFacts = (change: (text: string) => string) => (path: string) => {
    const file = join(path, 'checkpoint.json');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  };

  it.each<[string, (path: string) => void, string]>([
    [
      'a flipped bit',
      (path) => {
        const file = join(path, 'state.safetensors');
        const bytes = readFileSync(file);
        bytes[bytes.length - 1] ^= 1;
        writeFileSync(file, bytes);
      },
      'a fault in state.safetensors: its checksum differs',
    ],
    [
      'a state cut short',
      (path) => {
        const file = join(path, 'state.safetensors');
        truncateSync(file, statSync(file).size - 4);
      },
      'its checksum differs',
    ],
    ['an empty state', (path) => truncateSync(join(path, 'state.safetensors'), 0), 'its checksum differs'],
    ['no state', (path) => rmSync(join(path, 'state.safetensors')), 'a fault in state.safetensors'],
    ['no record', (path) => rmSync(join(path, 'checkpoint.json')), 'a fault in checkpoint.json'],
    ['half a record', rewriteFacts((text) => text.slice(0, 30)), 'a fault in checkpoint.json'],
    ['a record without numbers', rewriteFacts((text) => text.replace('640', '"many"')), 'a fault in checkpoint.json'],
    ['a record without checksum', rewriteFacts((text) => text.replace('sha256', 'sha')), 'a fault in checkpoint.json'],
    [
      'another format',
      rewriteFacts((text) => text.replace('"format": 1', '"format": 2')),
      'to be of format 1; got format 2',
    ],
    ['an empty record', rewriteFacts(() => 'null'), 'got format undefined'],
  ])('with %s is refused', async (_what, damage, message) => {
    const error = await damagedBy(damage);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toContain(message);
  });

  it('is refused with the folder and a remedy', async () => {
    const error = await damagedBy((path) => rmSync(join(path, 'checkpoint.json')));
    expect((error as Error).message).toMatch(
      /^Expected `.*000000000640` to be a whole checkpoint; got a fault in checkpoint\.json\. In training\/checkpoint\. Try an older checkpoint: remove this folder and resume again\.$/,
    );
  });
});

it('a disk that refuses is named', async () => {
  const file = join(folder(), 'file');
  writeFileSync(file, '');
  const failure = write(join(file, 'checkpoints'), 10);
  await expect(failure).rejects.toThrow(DataError);
  await expect(failure).rejects.toThrow(`Expected a checkpoint to be written into \`${join(file, 'checkpoints')}\``);
  await expect(checkpointPaths(file)).rejects.toThrow(DataError);
  expect(existsSync(file)).toBe(true);
});
