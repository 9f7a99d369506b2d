import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { safetensor } from '../../src/formats/safetensors.ts';
import { writeSafetensorsFile } from '../../src/formats/safetensors-file.ts';
import { readPerceptualWeights } from '../../src/training/perceptual-weights.ts';
import { temporaryFolders } from '../data/temporary-folder.ts';

const newFolder = temporaryFolders();

async function written(): Promise<string> {
  const path = join(newFolder(), 'heads.safetensors');
  const tensors = {
    vector: safetensor(Float32Array.of(0, 0.5)),
    convolution: safetensor(Float64Array.of(1, 2, 3), [1, 3, 1, 1]),
    matrix: safetensor(Float32Array.of(1, 2, 3, 4), [2, 2]),
    negative: safetensor(Float32Array.of(1, -1)),
    integers: safetensor(Int32Array.of(1)),
  };
  await writeSafetensorsFile(path, new Map(Object.entries(tensors)));
  return path;
}

describe('readPerceptualWeights', () => {
  it('reads vectors and 1 x 1 convolutions in the order of the names', async () => {
    const weights = await readPerceptualWeights(await written(), ['convolution', 'vector']);
    expect(weights.map((values) => [...values])).toEqual([
      [1, 2, 3],
      [0, 0.5],
    ]);
  });

  it.each([
    ['matrix', /`matrix` in .* to be float weights of channels, each at least 0; got F32 \[2, 2\]/],
    ['negative', /got another value/],
    ['integers', /got I32 \[1\]/],
    ['missing', /tensor "missing"/],
  ])('refuses %s', async (name, message) => {
    await expect(readPerceptualWeights(await written(), [name])).rejects.toThrow(message);
  });
});
