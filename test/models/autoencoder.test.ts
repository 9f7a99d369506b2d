import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/engine/graph.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { type AutoencoderOptions, type CoderParameters, decoder, encoder } from '../../src/models/autoencoder.ts';
import type { Layer } from '../../src/models/layers/layer.ts';
import { parameterCount, parameterTypes, type TensorsOf } from '../../src/models/parameters.ts';
import { vqVae, vqVaes } from '../../src/models/vq-vae.ts';

const small: AutoencoderOptions = {
  shape: [3, 16, 16],
  channels: 32,
  multipliers: [1, 2],
  blocks: 1,
  attentionResolutions: [16],
  latentChannels: 4,
};

/** Graph of a layer's result y for a map of the given shape. */
function graphOf(layer: Layer<CoderParameters>, shape: readonly number[]): Graph {
  return trace(
    (inputs) => {
      const { p, x } = inputs as unknown as { p: TensorsOf<CoderParameters>; x: Tensor };
      return { y: layer.apply(p, x) };
    },
    { p: parameterTypes(layer.parameters), x: tensorType(shape) },
  );
}

const encoderGraph = (x: readonly number[]) => graphOf(encoder(small, 5), x);
const decoderGraph = (x: readonly number[]) => graphOf(decoder(small), x);

/** Shapes of the outputs of all calls of a primitive. */
function shapesOf({ calls, values }: Graph, primitive: string) {
  return calls.filter((call) => call.primitive.name === primitive).map(({ outputs }) => values[outputs[0]].shape);
}

describe('the encoder', () => {
  test('halves pictures of any size level by level; attention keeps its levels', () => {
    const graph = encoderGraph([2, 3, 8, 12]);
    expect(graph.values[graph.outputs[0].value].shape).toEqual([2, 5, 4, 6]);
    // Scores between 8 x 12 positions after the first level's block, and between 4 x 6 in the middle.
    expect(shapesOf(graph, 'softmax')).toEqual([
      [2, 96, 96],
      [2, 24, 24],
    ]);
  });

  test('pads maps below and to the right alone when it halves them', () => {
    const halvings = encoderGraph([1, 3, 8, 8]).calls.filter(
      ({ primitive, attributes }) => primitive.name === 'conv2d' && String(attributes.stride) === '2,2',
    );
    expect(halvings.map(({ attributes }) => attributes.padding)).toEqual([[0, 1, 0, 1]]);
  });

  test('refuses pictures with other channels or of odd size', () => {
    expect(() => encoderGraph([1, 1, 8, 8])).toThrow(/\[batch, 3, height, width\] with sides that are multiples of 2/);
    expect(() => encoderGraph([1, 3, 8, 7])).toThrow(/got \[1, 3, 8, 7\]/);
  });
});

describe('the decoder', () => {
  test('doubles latents level by level, with one block more and its attention', () => {
    const graph = decoderGraph([2, 4, 4, 6]);
    expect(graph.values[graph.outputs[0].value].shape).toEqual([2, 3, 8, 12]);
    expect(shapesOf(graph, 'softmax')).toEqual([
      [2, 24, 24],
      [2, 96, 96],
      [2, 96, 96],
    ]);
  });

  test('refuses latents with other channels', () => {
    expect(() => decoderGraph([1, 3, 4, 4])).toThrow(/`x` to be \[batch, 4, height, width\]; got \[1, 3, 4, 4\]/);
  });
});

describe('the options', () => {
  test('of the paper give 4 x 32 x 32 latents', () => {
    const { latents, parameters, codes } = vqVae(vqVaes.f8);
    expect(latents.shape).toEqual([4, 32, 32]);
    expect(parameters.codebook.shape).toEqual([codes, 4]);
    // Those of the Gaussian kind, less what makes its log-variance: 4 filters of 512 x 3 x 3, and of 8 x 8 weights all but 4 x 4.
    expect(parameterCount(parameters)).toBe(83_653_863 - (4 * 512 * 9 + 4) - (72 - 20) + 8192 * 4);
  });

  test('are refused where sizes do not fit', () => {
    expect(() => encoder({ ...small, shape: [3, 16, 8] }, 4)).toThrow(
      /square whose side is a multiple of 2.*got \[3, 16, 8\]/,
    );
    expect(() => decoder({ ...small, shape: [3, 15, 15] })).toThrow(/got \[3, 15, 15\]/);
    expect(() => encoder({ ...small, attentionResolutions: [4] }, 4)).toThrow(/sides of the 2 levels .*got \[4\]/);
    expect(() => encoder({ ...small, attentionResolutions: [12] }, 4)).toThrow(/got \[12\]/);
    expect(() => decoder({ ...small, channels: 48 })).toThrow(/`groups` to divide 48 channels; got 32/);
  });
});
