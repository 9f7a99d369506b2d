import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostArray } from '../../src/engine/dtype.ts';
import { gradient } from '../../src/engine/gradient.ts';
import { closeGraph, expandGraph, type Graph } from '../../src/engine/graph.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { add, multiply, reduceMean, subtract } from '../../src/engine/ops.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { placeholder } from '../../src/engine/tensor.ts';
import { tensorType } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { dit } from '../../src/models/dit.ts';
import type { Rematerialisation } from '../../src/models/layers/rematerialisation.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';
import { songUnet } from '../../src/models/song-unet.ts';
import { unet } from '../../src/models/unet.ts';
import { type VqVaeParameters, vqVae } from '../../src/models/vq-vae.ts';
import { parameterInputs } from '../../src/training/parameter-update.ts';
import { runModel } from '../engine/execute-graph.ts';
import { gradientGraph, uniforms } from './model-graphs.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

const small = { blocks: 1, headChannels: 4, groups: 2, middle: true } as const;

const models: Readonly<Record<string, Model>> = {
  mlp: mlp({ shape: [3], hidden: [8, 8], activation: 'silu', timeFeatures: 4, classes: 2 }),
  dit: dit({ shape: [2, 4, 4], patch: 2, depth: 3, width: 16, heads: 2, classes: 3 }),
  'unet that keeps all maps': unet({
    ...small,
    shape: [2, 8, 8],
    channels: [4, 8],
    attention: [1],
    skips: 'all',
    resample: 'convolution',
    classes: null,
  }),
  'unet of sums and shifts': unet({
    ...small,
    shape: [1, 8, 8],
    channels: [4, 8],
    attention: [],
    skips: 'sum',
    resample: 'pooling',
    conditioning: 'shift',
    classes: 2,
  }),
  'song-unet': songUnet({
    shape: [2, 8, 8],
    channels: 8,
    multipliers: [1, 2],
    blocks: 1,
    attentionResolutions: [4],
    classes: 3,
  }),
};

/** Random values for the inputs of a graph, labels in turn. */
function inputsOf({ inputs, values }: Graph): Record<string, HostArray> {
  return Object.fromEntries(
    inputs.map(({ name, value }, i) => {
      const { dtype, shape } = values[value];
      const count = elementCount(shape);
      return [
        name,
        dtype === 'int32' ? Int32Array.from({ length: count }, (_, row) => row % 2) : uniforms(i, count, 0.3),
      ];
    }),
  );
}

async function outputsOf(graph: Graph): Promise<Record<string, HostArray>> {
  verifyGraph(graph);
  const model = emitModel(graph, { channelBlock: runtime.channelBlock });
  return (await runModel(runtime, model, { inputs: inputsOf(graph) })).outputs;
}

const calls = (graph: Graph) => expandGraph(graph).calls.length;

async function expectSame(graphOf: (rematerialise: Rematerialisation) => Graph): Promise<void> {
  const kept = graphOf('nothing');
  const wanted = await outputsOf(kept);
  for (const again of [graphOf('cheap'), graphOf('blocks')]) {
    expect(calls(again)).toBeGreaterThan(calls(kept));
    const actual = await outputsOf(again);
    expect(Object.keys(actual)).toEqual(Object.keys(wanted));
    for (const [name, values] of Object.entries(wanted)) {
      expect(Buffer.compare(bytes(actual[name]), bytes(values)), name).toBe(0);
    }
  }
}

function bytes({ buffer, byteOffset, byteLength }: HostArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

describe('a network parts of which are computed again for the gradient', () => {
  test.each(Object.entries(models))('has the same value and gradients to the last bit: %s', (_name, model) =>
    expectSame((rematerialise) => gradientGraph(model, { apply: { rematerialise } })),
  );

  const picture = {
    shape: [3, 8, 8],
    channels: 32,
    multipliers: [1, 2],
    blocks: 1,
    attentionResolutions: [8],
    latentChannels: 2,
  } as const;

  test('as a VQ-VAE, too', () =>
    expectSame((rematerialise) => {
      const network = vqVae({ ...picture, codes: 6, commitment: 0.25, rematerialise });
      const { tree, ports } = parameterInputs(parameterTypes(network.parameters), 'p');
      const tensors = tree as unknown as TensorsOf<VqVaeParameters>;
      const x = placeholder(tensorType([2, ...picture.shape]));
      const { quantized, loss } = network.quantize(tensors, network.encode(tensors, x));
      const error = subtract(network.decode(tensors, quantized), x);
      const total = add(reduceMean(multiply(error, error)), reduceMean(loss));
      const gradients = gradient(
        total,
        ports.map(([, tensor]) => tensor),
        { recompute: rematerialise === 'cheap' },
      );
      return closeGraph(
        [...ports, ['x', x]],
        [['total', total], ...ports.map(([name], i) => [`g.${name}`, gradients[i]] as const)],
      );
    }));
});
