import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import { type ImageAutoencoder, klImageAutoencoder, vqAutoencoder } from '../../src/models/image-autoencoder.ts';
import { initializeParameters, parameterTypes } from '../../src/models/parameters.ts';
import { stream } from '../../src/numerics/stream.ts';

const sizes = {
  shape: [1, 4, 4] as const,
  channels: 2,
  multipliers: [1, 2],
  blocks: 1,
  attentionResolutions: [],
  latentChannels: 2,
  groups: 1,
};
const networks: readonly [string, ImageAutoencoder][] = [
  ['a VQ-VAE', vqAutoencoder({ ...sizes, codes: 4, commitment: 0.25 })],
  ['a KL autoencoder', klImageAutoencoder({ ...sizes, divergence: 1e-6 })],
];

/** What a function of the network gives for parameters from seed 1 and pictures from seed 2. */
function valuesOf(network: ImageAutoencoder, f: (parameters: TensorTree, pictures: Tensor) => Record<string, Tensor>) {
  const graph = trace(
    (inputs) => {
      const { p, x } = inputs as unknown as { p: TensorTree; x: Tensor };
      return f(p, x);
    },
    { p: parameterTypes(network.parameters), x: tensorType([2, ...network.input.shape]) },
  );
  const random = stream(2, 'pictures');
  const parameters = Object.entries(initializeParameters(network.parameters, 1));
  return interpret(graph, {
    ...Object.fromEntries(parameters.map(([path, values]) => [`p.${path}`, Float64Array.from(values)])),
    x: Float64Array.from({ length: 32 }, () => 2 * random.uniform() - 1),
  });
}

describe.each(networks)('%s', (_name, network) => {
  it('reconstructs what it decodes of what it encodes', () => {
    const { made, decoded, latents, encoded } = valuesOf(network, (p, x) => {
      const whole = network.reconstruct(p, x, null);
      const between = network.encode(p, x);
      return { made: whole.pictures, latents: whole.latents, encoded: between, decoded: network.decode(p, between) };
    });
    expect(encoded).toEqual(latents);
    expect(decoded).toEqual(made);
    expect(encoded.length / 2).toBe(network.latents.shape.reduce((product, size) => product * size, 1));
  });

  it('decodes quantised latents as the latents themselves', () => {
    const { plain, quantized } = valuesOf(network, (p, x) => {
      const latents = network.encode(p, x);
      return { plain: network.decode(p, latents), quantized: network.decode(p, network.quantize(p, latents)) };
    });
    expect(quantized).toEqual(plain);
  });

  it('has a parameter for the last layer and the codebook at the paths that it says', () => {
    const paths = Object.keys(initializeParameters(network.parameters, 1));
    expect(paths).toContain(network.lastLayer);
    if (network.codebook !== null) expect(paths).toContain(network.codebook.path);
  });
});

describe('the revival of codes', () => {
  it('takes the vector of a position, not of a channel', () => {
    const { codebook } = vqAutoencoder({ ...sizes, codes: 4, commitment: 0.25 });
    // One picture with latents [channels 2, positions 3]: vectors (1, 10), (2, 20), (3, 30).
    const latents = Float32Array.of(1, 2, 3, 10, 20, 30);
    const options = { counts: [5, 0, 5, 0], least: 1, latents, positions: 3, random: stream(0, 'revival') };
    const { codebook: renewed, revived } = codebook!.revive(new Float32Array(8), options);
    expect(revived).toEqual([1, 3]);
    for (const code of revived) expect(renewed[2 * code + 1]).toBe(10 * renewed[2 * code]);
    for (const code of revived) expect([1, 2, 3]).toContain(renewed[2 * code]);
  });
});
