import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { encodeModel } from '../../src/engine/onnx/model-proto.ts';
import { openFeatureNetwork } from '../../src/experiments/open-features.ts';
import { node, spec } from '../engine/tiny-models.ts';
import { identityFile } from '../metrics/features/tiny-network.ts';

const runtime = await openNativeRuntime({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'flowloom-features-'));
afterAll(() => {
  runtime.release();
  rmSync(folder, { recursive: true });
});

/** A network of any size that gives the means of channels, and scores. */
const open = encodeModel({
  name: 'open',
  nodes: [node('means = GlobalAveragePool(image)'), node('rows = Flatten(means)'), node('scores = Neg(rows)')],
  initializers: [],
  inputs: [{ ...spec('image'), shape: ['batch', 3, 'height', 'width'] }],
  outputs: [
    { ...spec('rows'), shape: null },
    { ...spec('scores'), shape: null },
  ],
});
const openPath = join(folder, 'open.onnx');
const fixedPath = join(folder, 'fixed.onnx');
writeFileSync(openPath, open);
writeFileSync(fixedPath, identityFile([2, 3, 4, 5]));

const notes: string[] = [];
const options = { runtime, shape: [1, 4, 4], batch: 2, folder, note: (text: string) => notes.push(text) } as const;
const image = Uint8Array.from({ length: 16 }, (_, i) => 10 * i);

describe('openFeatureNetwork', () => {
  it('opens pixels', async () => {
    expect(await openFeatureNetwork('pixels', options)).toMatchObject({
      network: 'pixels 1x4x4 [0,1]',
      dimensions: 16,
    });
  });

  it('opens a file with settings, or with the size that it fixes', async () => {
    const file = await openFeatureNetwork(
      `${openPath}?size=8&resize=bicubic&range=[0,255]&layer=scores&channels=bgr`,
      options,
    );
    expect(file.network).toBe('open:scores 8 bicubic [0,255] bgr');
    expect(file.hash).toBe(createHash('sha256').update(open).digest('hex').slice(0, 16));
    const [mean] = await file.extract(image, [1, 4, 4]);
    expect(mean).toBeCloseTo(-75, 3);
    expect((await openFeatureNetwork(fixedPath, options)).network).toBe('fixed 4x5 bilinear [0,1]');
  });

  it('opens a preset by file, and does not call the file the reference', async () => {
    const inception = await openFeatureNetwork(`inception-2015=${openPath}`, options);
    expect(inception.network).toBe('inception-2015 (unverified file) 299 tf1-bilinear (p-128)/128');
    expect(notes.at(-1)).toContain('No hash of a reference file is published for features `inception-2015`');
    const probabilities = await inception.classify!(image, [1, 4, 4]);
    expect([...probabilities].reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
  });

  it.each([
    [
      'mixd5',
      'Expected features to be pixels, mixed5, face, inception-2015, clip, dinov2, arcface, a preset=file.onnx or a file.onnx; got "mixd5". In experiments/open-features. Try `mixed5`.',
    ],
    [
      'clip',
      "Expected an ONNX file of CLIP's image encoder, first output the image embedding; got no file for features `clip`. In experiments/open-features. Try `clip=path.onnx`.",
    ],
    [`arcface=${openPath}`, 'Expected features `arcface` to be a file with SHA-256 4c06341c'],
    [openPath, 'Expected a size of images, which the file leaves open; got none.'],
    [`${openPath}?size=8&range=1`, 'Expected `range` to be [0,1], [-1,1], [0,255], (p-128)/128; got "1".'],
    [`${openPath}?sice=8`, 'Expected settings size, resize, range, channels, layer, pooling, classes; got "sice".'],
    [`${openPath}?size=wide`, '`size` to be positive integers'],
    [join(folder, 'absent.onnx'), 'to be a readable ONNX file; got ENOENT'],
    ['constructor', 'Expected features to be pixels'],
  ])('refuses %s', async (text, message) => {
    await expect(openFeatureNetwork(text, options)).rejects.toThrow(message);
  });
});
