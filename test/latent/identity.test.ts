import { describe, expect, it } from 'vitest';
import { identityLatent } from '../../src/latent/identity.ts';

const latent = identityLatent([1, 16, 16]);
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe('the identity latent', () => {
  it('gives every pixel value back', async () => {
    expect(await latent.decode(await latent.encode(everyByte))).toEqual(everyByte);
  });

  it('maps 0 to -1 and 255 to 1, with equal steps', async () => {
    const latents = await latent.encode(everyByte);
    expect(latents[0]).toBe(-1);
    expect(latents[255]).toBe(1);
    for (let byte = 0; byte < 256; byte++) expect(latents[byte]).toBe(Math.fround(byte / 127.5 - 1));
  });

  it('rounds and clips what samplers give', async () => {
    const half = 0.5 / 127.5;
    const given = Float32Array.of(-7, -1 + 0.9 * half, -1 + 1.1 * half, 0.999, 1.2, Number.POSITIVE_INFINITY);
    expect(Array.from(await latent.decode(given))).toEqual([0, 0, 1, 255, 255, 255]);
  });

  it('changes neither pixels nor latents that it is given', async () => {
    const pixels = everyByte.slice();
    const latents = await latent.encode(pixels);
    const copy = latents.slice();
    await latent.decode(latents);
    expect(pixels).toEqual(everyByte);
    expect(latents).toEqual(copy);
  });
});
