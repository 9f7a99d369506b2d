import { describe, expect, it } from 'vitest';
import { closeGraph } from '../../src/engine/graph.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { emitModel } from '../../src/engine/onnx/emit.ts';
import { createStepper } from '../../src/engine/stepper.ts';
import { placeholder } from '../../src/engine/tensor.ts';
import { tensorType } from '../../src/engine/trace.ts';
import { NumericalError } from '../../src/errors.ts';
import { autoencoderLatent, noNormalization } from '../../src/latent/autoencoder.ts';
import { klImageAutoencoder, vqAutoencoder } from '../../src/models/image-autoencoder.ts';
import { initializeParameters } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';

const sizes = {
  shape: [3, 8, 8],
  channels: 32,
  multipliers: [1, 1],
  blocks: 1,
  attentionResolutions: [],
  latentChannels: 4,
} as const;
const openRuntime = () => openNativeRuntime({ threads: 1 });
const networks = {
  vq: vqAutoencoder({ ...sizes, codes: 16, commitment: 0.25 }),
  kl: klImageAutoencoder({ ...sizes, divergence: 1e-6 }),
};

function latentOf(kind: 'vq' | 'kl', change: Partial<Parameters<typeof autoencoderLatent>[0]> = {}) {
  const network = networks[kind];
  const parameters = initializeParameters(network.parameters, 1);
  return autoencoderLatent({
    network,
    parameters,
    normalization: noNormalization(4),
    openRuntime,
    batch: count,
    ...change,
  });
}

const count = 5;
const random = stream(7, 'pictures');
const pictures = Uint8Array.from({ length: count * 3 * 64 }, () => random.below(256));
const normalization = { mean: [0.5, -1, 0, 2], deviation: [0.1, 2, 1, 0.5] };

describe.each(['vq', 'kl'] as const)('the latents of an autoencoder of kind %s', (kind) => {
  it('do not depend on how many pictures go together', async () => {
    const latents = [2, 8].map((batch) => latentOf(kind, { batch }));
    const encoded = await Promise.all(latents.map((latent) => latent.encode(pictures)));
    // Kernels for other sizes add up in another order.
    encoded[1]!.forEach((value, i) => {
      expect(value).toBeCloseTo(encoded[0]![i]!, 5);
    });
    const decoded = await Promise.all(latents.map((latent) => latent.decode(encoded[0]!)));
    expect(Math.max(...decoded[1]!.map((value, i) => Math.abs(value - decoded[0]![i]!)))).toBeLessThanOrEqual(1);
    expect(encoded[0]!.length).toBe(count * 4 * 16);
    expect(decoded[0]!.length).toBe(pictures.length);
    for (const latent of latents) latent.release();
  });

  it('are the values of the encoder, less the mean and over the deviation of their channel', async () => {
    const raw = latentOf(kind);
    const normal = latentOf(kind, { normalization });
    const values = await raw.encode(pictures);
    const expected = values.map((value, i) => {
      const channel = Math.floor(i / 16) % 4;
      return (value - normalization.mean[channel]!) / normalization.deviation[channel]!;
    });
    expect(await normal.encode(pictures)).toEqual(expected);
    // Decoding undoes it, but for roundings, which can move a pixel by one or a latent to another code.
    const [plain, undone] = [await raw.decode(values), await normal.decode(expected)];
    const moved = plain.filter((value, i) => Math.abs(value - undone[i]!) > 1).length;
    expect(moved).toBeLessThan(plain.length / 50);
    raw.release();
    normal.release();
  });

  it('are decoded by traced tensors to the same pixels', async () => {
    const latent = latentOf(kind, { normalization, batch: count });
    const latents = await latent.encode(pictures);
    const x = placeholder(tensorType([count, ...latent.shape]));
    const graph = closeGraph([['x', x]], [['pixels', latent.decodeTensor(x)]]);
    const runtime = await openRuntime();
    const { provider, channelBlock } = runtime;
    const programs = { decode: { model: emitModel(graph, { provider, channelBlock }) } };
    const stepper = await createStepper(runtime, { state: {}, programs });
    const { pixels } = await stepper.run('decode', { inputs: { x: latents } });
    const differences = (await latent.decode(latents)).map((value, i) => Math.abs(value - Number(pixels![i])));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
    stepper.release();
    runtime.release();
    latent.release();
  });

  it('can be used again after they were released', async () => {
    const latent = latentOf(kind);
    const first = await latent.encode(pictures);
    latent.release();
    latent.release();
    expect(await latent.encode(pictures)).toEqual(first);
    latent.release();
  });
});

describe('the latents of a VQ-VAE', () => {
  it('are not quantised, and decoded as the nearest codes', async () => {
    const { network, parameters } = {
      network: networks.vq,
      parameters: initializeParameters(networks.vq.parameters, 1),
    };
    const latent = latentOf('vq');
    const latents = await latent.encode(pictures);
    const codebook = parameters.codebook!;
    const codes = latents.slice();
    for (let row = 0; row < count * 16; row++) {
      const at = (channel: number) => (Math.floor(row / 16) * 4 + channel) * 16 + (row % 16);
      const distance = (code: number) =>
        [0, 1, 2, 3].reduce((sum, channel) => sum + (latents[at(channel)]! - codebook[code * 4 + channel]!) ** 2, 0);
      const order = Array.from({ length: 16 }, (_, code) => code).sort((a, b) => distance(a) - distance(b));
      for (const channel of [0, 1, 2, 3]) codes[at(channel)] = codebook[order[0]! * 4 + channel]!;
    }
    expect(codes).not.toEqual(latents);
    expect(network.latents.shape).toEqual([4, 4, 4]);
    expect(await latent.decode(latents)).toEqual(await latent.decode(codes));
    latent.release();
  });

  it('are refused where a channel does not vary', () => {
    expect(() => latentOf('vq', { normalization: { mean: [0, 0, 0, 0], deviation: [1, 1, 0, 1] } })).toThrow(
      NumericalError,
    );
  });
});
