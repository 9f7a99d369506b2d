/** Autoencoders and the discriminator against PyTorch: `scripts/golden/autoencoders.py` wrote the numbers. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { externalValues, ownPaths, ownValues } from '../../src/models/checkpoint-map.ts';
import { flattenParameters } from '../../src/models/parameters.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { expectGradient, expectOutput, filled } from './golden-tensors.ts';
import { type GoldenAutoencoder, passGraph, publishedAutoencoders } from './published-autoencoders.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/autoencoders.json', import.meta.url), 'utf8')) as {
  readonly cases: Readonly<Record<string, GoldenAutoencoder>>;
};

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

describe.each(Object.entries(golden.cases))('%s', (_name, one) => {
  const network = publishedAutoencoders[one.kind](one.options);
  const external = network.checkpoint.toExternal(network.parameters);

  test('has the names and shapes of the published state', () => {
    expect(Object.fromEntries([...external].map(([name, { shape }]) => [name, [...shape]]))).toEqual(one.state);
  });

  test('gives every parameter to exactly one published tensor', () => {
    const paths = [...external.values()].flatMap(ownPaths);
    expect(paths.sort()).toEqual(
      flattenParameters(network.parameters)
        .map(([path]) => path)
        .sort(),
    );
  });

  test('agrees with PyTorch in output, loss and all gradients', async () => {
    const parameters = Object.entries(one.tensors).flatMap(([name, fill]) =>
      ownValues(external.get(name)!, { name, shape: fill.shape, data: filled(fill) }),
    );
    const noise = one.noise ?? { ...one.x, shape: [1] };
    const shapes = { x: one.x.shape, noise: noise.shape, weights: one.weights.shape };
    const { y, loss, indices, ...gradients } = await executeGraph(runtime, passGraph(network, shapes), {
      ...Object.fromEntries(parameters.map(([path, values]) => [`p.${path}`, values])),
      x: filled(one.x),
      noise: filled(noise),
      w: filled(one.weights),
    });
    expectOutput(y as Float32Array, one.output);
    if (loss !== undefined) expectOutput(loss as Float32Array, one.loss);
    if (one.indices !== undefined) expect([...(indices as Int32Array)]).toEqual(one.indices);
    for (const [name, wanted] of Object.entries(one.gradients)) {
      const actual = externalValues(external.get(name)!, (path) => gradients[`g.${path}`] as Float32Array);
      expectGradient(actual, wanted, name);
    }
  });
});
