/** Whole networks against PyTorch, under the names of published checkpoints: `scripts/golden/networks.py` wrote the numbers. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { externalValues, ownPaths, ownValues } from '../../src/models/checkpoint-map.ts';
import { flattenParameters } from '../../src/models/parameters.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { expectGradient, expectOutput, type Fill, filled, type Summary } from './golden-tensors.ts';
import { gradientGraph } from './model-graphs.ts';
import { type PublishedKind, publishedNetworks } from './published-networks.ts';

interface GoldenNetwork {
  readonly kind: PublishedKind;
  readonly options: object;
  /** Shapes of PyTorch's state by name. */
  readonly state: Readonly<Record<string, readonly number[]>>;
  /** Values of the state that are no parameters. */
  readonly fixed: Readonly<Record<string, readonly number[]>>;
  readonly tensors: Readonly<Record<string, Fill>>;
  readonly x: Fill;
  readonly weights: Fill;
  readonly time: readonly number[];
  readonly labels: readonly number[] | null;
  readonly output: readonly number[];
  readonly gradients: Readonly<Record<string, Summary>>;
}

const golden = JSON.parse(readFileSync(new URL('../golden/networks.json', import.meta.url), 'utf8')) as {
  readonly cases: Readonly<Record<string, GoldenNetwork>>;
};

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

describe.each(Object.entries(golden.cases))('%s', (_name, one) => {
  const { model, checkpoint } = publishedNetworks[one.kind](one.options);
  const external = checkpoint.toExternal(model.parameters);

  test('has the names, shapes and fixed values of the published state', () => {
    expect(Object.fromEntries([...external].map(([name, { shape }]) => [name, [...shape]]))).toEqual(one.state);
    for (const [name, wanted] of Object.entries(one.fixed)) {
      const values = externalValues(external.get(name)!, () => new Float32Array());
      for (const [i, value] of wanted.entries()) expect(values[i], `${name}[${i}]`).toBeCloseTo(value, 6);
    }
  });

  test('gives every parameter to exactly one published tensor', () => {
    const paths = [...external.values()].flatMap(ownPaths);
    expect(paths.sort()).toEqual(
      flattenParameters(model.parameters)
        .map(([path]) => path)
        .sort(),
    );
  });

  test('agrees with PyTorch in output and in all gradients', async () => {
    const parameters = Object.entries(one.tensors).flatMap(([name, fill]) =>
      ownValues(external.get(name)!, { name, shape: fill.shape, data: filled(fill) }),
    );
    const graph = gradientGraph(model, { batch: one.time.length });
    const { y, ...gradients } = await executeGraph(runtime, graph, {
      ...Object.fromEntries(parameters.map(([path, values]) => [`p.${path}`, values])),
      x: filled(one.x),
      w: filled(one.weights),
      time: Float32Array.from(one.time),
      ...(one.labels === null ? {} : { labels: Int32Array.from(one.labels) }),
    });
    expectOutput(y as Float32Array, one.output);
    for (const [name, wanted] of Object.entries(one.gradients)) {
      const actual = externalValues(external.get(name)!, (path) => gradients[`g.${path}`] as Float32Array);
      expectGradient(actual, wanted, name);
    }
  });
});
