import { DataError } from '../errors.ts';
import { openSafetensorsFile } from '../formats/safetensors-file.ts';

/**
 * Weights of channels from a safetensors file, for the layers of a perceptual loss.
 * @param names  tensors in the order of the layers, float32 or float64, with one axis longer than 1: [channels], or [1, channels, 1, 1] as
 *   the 1 x 1 convolutions of LPIPS are stored.
 * @throws DataError if the file is damaged, or a tensor is missing or has another form or a negative value.
 */
export async function readPerceptualWeights(path: string, names: readonly string[]): Promise<Float64Array[]> {
  const file = await openSafetensorsFile(path);
  try {
    const weights: Float64Array[] = [];
    for (const name of names) {
      const { data, shape, dtype } = await file.read(name);
      const isVector = shape.filter((size) => size !== 1).length <= 1;
      const values = data instanceof Float32Array || data instanceof Float64Array ? Float64Array.from(data) : null;
      if (!isVector || values === null || !values.every((value) => value >= 0 && value < Infinity)) {
        throw new DataError({
          expected: `\`${name}\` in \`${path}\` to be float weights of channels, each at least 0`,
          got: isVector && values !== null ? 'another value' : `${dtype} [${shape.join(', ')}]`,
          where: 'training/perceptual-weights',
        });
      }
      weights.push(values);
    }
    return weights;
  } finally {
    await file.close();
  }
}
