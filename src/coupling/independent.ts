/** The independent coupling: fresh noise for every image, every time. */
import { CheckpointError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { stream } from '../numerics/stream.ts';
import type { Coupling } from './coupling.ts';

/** Pairs each datum with noise drawn independently of it: q(x, z) = q(x) N(z; 0, 1). Source: [lipman:23], [davtyan:25] section 2. */
export function independentCoupling(): Coupling {
  return {
    kind: 'independent',
    pair({ target, indices }, { seed, imagesSeen }) {
      const words = stream(seed, 'training-noise', imagesSeen);
      const seeds = Uint32Array.from(indices, () => words.uint32());
      const source = normalsFromSeeds(seeds, target.length / indices.length);
      return Promise.resolve({ source, seeds, cost: null });
    },
    state: () => ({}),
    restore(state) {
      const names = Object.keys(state);
      if (names.length > 0) {
        throw new CheckpointError({
          expected: 'no coupling state',
          got: names.join(', '),
          where: 'coupling/independent',
          remedy: 'the coupling that the checkpoint was made with',
        });
      }
    },
  };
}
