/** Autoencoders and the discriminator against PyTorch: `scripts/golden/autoencoders.py` wrote the numbers. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { abs, reduceMean, subtract } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import { externalValues, ownPaths, ownValues } from '../../src/models/checkpoint-map.ts';
import { flattenParameters, parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';
import type { VqVaeParameters } from '../../src/models/vq-vae.ts';
import { adaptiveWeight, hingeDiscriminatorLoss, hingeGeneratorLoss } from '../../src/training/adversarial-loss.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { expectGradient, expectOutput, type Fill, filled } from './golden-tensors.ts';
import { type GoldenAutoencoder, passGraph, publishedAutoencoders } from './published-autoencoders.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/autoencoders.json', import.meta.url), 'utf8')) as {
  readonly cases: Readonly<Record<string, GoldenAutoencoder>>;
  readonly adversarial: { readonly x: Fill } & Readonly<
    Record<'reconstruction' | 'generator' | 'discriminator' | 'weight', number>
  >;
};

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

/** Values of the parameters of a case's network, by path behind a prefix. */
function parametersOf({ kind, options, tensors }: GoldenAutoencoder, prefix: string): Record<string, Float32Array> {
  const { parameters, checkpoint } = publishedAutoencoders[kind](options);
  const external = checkpoint.toExternal(parameters);
  const values = Object.entries(tensors).flatMap(([name, fill]) =>
    ownValues(external.get(name)!, { name, shape: fill.shape, data: filled(fill) }),
  );
  return Object.fromEntries(values.map(([path, array]) => [`${prefix}.${path}`, array]));
}

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
    const noise = one.noise ?? { ...one.x, shape: [1] };
    const shapes = { x: one.x.shape, noise: noise.shape, weights: one.weights.shape };
    const { y, loss, indices, ...gradients } = await executeGraph(runtime, passGraph(network, shapes), {
      ...parametersOf(one, 'p'),
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

test('losses and adaptive weight of a VQ-VAE and its discriminator agree with PyTorch', async () => {
  const { x, ...wanted } = golden.adversarial;
  const autoencoder = publishedAutoencoders.vq(golden.cases.vq.options);
  const judge = publishedAutoencoders.discriminator(golden.cases.discriminator.options);
  const graph = trace(
    (inputs) => {
      const tensors = inputs as unknown as { p: TensorsOf<VqVaeParameters>; d: TensorTree; x: Tensor };
      const logits = (pictures: Tensor) => judge.pass(tensors.d, pictures, pictures).y;
      const { y: made } = autoencoder.pass(tensors.p, tensors.x, tensors.x);
      const reconstruction = reduceMean(abs(subtract(tensors.x, made)));
      const generator = reduceMean(hingeGeneratorLoss(logits(made)));
      return {
        reconstruction,
        generator,
        discriminator: reduceMean(hingeDiscriminatorLoss(logits(tensors.x), logits(made))),
        weight: adaptiveWeight(reconstruction, generator, { lastLayer: tensors.p.decoder.output.weight }),
      };
    },
    { p: parameterTypes(autoencoder.parameters), d: parameterTypes(judge.parameters), x: tensorType(x.shape) },
  );
  const inputs = { ...parametersOf(golden.cases.vq, 'p'), ...parametersOf(golden.cases.discriminator, 'd') };
  const actual = await executeGraph(runtime, graph, { ...inputs, x: filled(x) });
  for (const [name, value] of Object.entries(wanted)) {
    expect(Math.abs(Number(actual[name][0]) / value - 1), name).toBeLessThan(1e-4);
  }
});
