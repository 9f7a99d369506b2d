import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { editDistance, nearestName } from '../../src/experiments/nearest-name.ts';
import { applyOverrides, parseOverride } from '../../src/experiments/overrides.ts';
import { allPresets, presets } from '../../src/experiments/presets/table.ts';
import { readAnyConfig, readConfig } from '../../src/experiments/read-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowloom-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('readConfig', () => {
  it('knows every preset, and each is named after itself', () => {
    for (const name of Object.keys(presets)) expect(readConfig(name).name).toBe(name);
  });

  it('gives the main job the numbers that were measured for it', () => {
    const { model, training, sampling } = readConfig('fashion-unet');
    expect(model).toMatchObject({ kind: 'unet', channels: [32, 64, 96], blocks: 1, labels: true });
    expect(training).toMatchObject({ images: 700 * 64, batchSize: 64, labelDropout: 0.1 });
    expect(training.optimizer).toMatchObject({ kind: 'adamw', learningRate: 2e-3, betas: [0.9, 0.99] });
    expect(sampling).toMatchObject({ guidance: 1.5, solver: { kind: 'midpoint', steps: 20 } });
  });

  it('reads YAML and JSON alike, and lets editors have their $schema', () => {
    const yaml = file(
      'a.yaml',
      'name: a\ndata: {kind: vectors, source: two-moons}\nmodel: {kind: mlp}\ntraining: {images: 9}\n',
    );
    const json = file(
      'a.json',
      '{"$schema": "x", "name": "a", "data": {"kind": "vectors", "source": "two-moons"}, "model": {"kind": "mlp"}, "training": {"images": 9}}',
    );
    expect(readConfig(yaml)).toEqual(readConfig(json));
  });

  it('takes changes and a seed', () => {
    const config = readConfig('two-moons-mlp', { set: ['model.hidden=[8, 8]', 'training.clip=null'], seed: 7 });
    expect(config).toMatchObject({ seed: 7, model: { hidden: [8, 8] }, training: { clip: null } });
  });

  it('names the presets when there is neither such a preset nor such a file', () => {
    expect(() => readConfig('fashion-unt')).toThrow(
      `Expected a preset (${Object.keys(allPresets).join(', ')}) or the path of a config file; got "fashion-unt". Try fashion-unet.`,
    );
  });

  it('tells autoencoders from flows', () => {
    expect(readAnyConfig('portraits-vq', { set: ['training.images=800'] })).toMatchObject({
      autoencoder: { kind: 'vq' },
      training: { images: 800 },
    });
    expect(readAnyConfig('fashion-unet')).toEqual(readConfig('fashion-unet'));
    expect(() => readConfig('portraits-vq')).toThrow(
      'Expected the config of a flow in portraits-vq; got that of an autoencoder. In experiments/read-config.',
    );
  });

  it('says where a file is no YAML', () => {
    expect(() => readConfig(file('b.yaml', 'name: [1\nb: 2'))).toThrow(/b\.yaml is neither YAML nor JSON: .* line 2/);
  });
});

describe('an override', () => {
  it('has a path and a YAML value', () => {
    expect(parseOverride('a.b-c=1e-3')).toEqual({ path: ['a', 'b-c'], value: 1e-3 });
    expect(parseOverride('a=null').value).toBeNull();
    expect(parseOverride('a=').value).toBeNull();
    expect(parseOverride('a=[1, x]').value).toEqual([1, 'x']);
    expect(parseOverride('a=/data/x=y').value).toBe('/data/x=y');
  });

  it('without an equals sign or with a broken value is refused', () => {
    for (const text of ['a', '=3', '.a=3', 'a=[1']) expect(() => parseOverride(text)).toThrow(/path=value/);
  });

  it('changes a copy, also within lists, and makes what is missing', () => {
    const config = { a: { b: [1, 2] } };
    const changed = applyOverrides(config, [parseOverride('a.b.1=3'), parseOverride('c.d=4')]);
    expect(changed).toEqual({ a: { b: [1, 3] }, c: { d: 4 } });
    expect(config).toEqual({ a: { b: [1, 2] } });
  });

  it('of a kind empties the section, whatever the order', () => {
    const changes = ['m.width=3', 'm.kind=y'].map(parseOverride);
    expect(applyOverrides({ m: { kind: 'x', channels: 1 } }, changes)).toEqual({ m: { kind: 'y', width: 3 } });
    expect(applyOverrides({ m: { kind: 'y', channels: 1 } }, changes)).toEqual({
      m: { kind: 'y', channels: 1, width: 3 },
    });
  });

  it('cannot reach the prototype of objects', () => {
    applyOverrides({}, [parseOverride('__proto__.polluted=true')]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('nearestName', () => {
  it('finds misspelt names and keeps silent about strange ones', () => {
    expect(nearestName('batch_size', ['batchSize', 'images'])).toBe('batchSize');
    expect(nearestName('bachsize', ['batchSize', 'images'])).toBe('batchSize');
    expect(nearestName('elephant', ['batchSize', 'images'])).toBeNull();
    expect(nearestName('x', [])).toBeNull();
  });

  it('counts edits as a metric does', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    for (const [a, b] of [
      ['', 'ab'],
      ['flow', 'loom'],
      ['abc', 'abc'],
    ] as const) {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
    }
    expect(editDistance('', 'ab')).toBe(2);
  });
});
