/** The pixels themselves as features: the plainest baseline, and one that needs no network. */
import { ShapeError } from '../../errors.ts';
import { type FeatureNetwork, type ImageShape, imagesIn } from './feature-network.ts';

const where = 'metrics/features/pixel-features';

/**
 * Features that are the images' own pixels, divided by 255.
 * @param shape  [channels, height, width] of all images.
 */
export function pixelFeatures(shape: ImageShape): FeatureNetwork {
  const dimensions = shape.reduce((product, n) => product * n, 1);
  return {
    network: `pixels ${shape.join('x')} [0,1]`,
    hash: null,
    dimensions,
    async extract(pixels, given) {
      imagesIn(pixels, given, where);
      if (given.some((n, axis) => n !== shape[axis])) {
        throw new ShapeError({
          expected: `images of [channels, height, width] = [${shape.join(', ')}]`,
          got: `[${given.join(', ')}]`,
          where,
          remedy: 'features of a network, which resizes images',
        });
      }
      return Float32Array.from(pixels, (pixel) => pixel / 255);
    },
    release() {},
  };
}
