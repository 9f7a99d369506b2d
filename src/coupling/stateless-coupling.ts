/** Couplings that keep nothing from one batch to the next. */
import { CheckpointError } from '../errors.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { stream } from '../numerics/stream.ts';
import type { Coupling, CouplingBatch, CouplingContext, Pairing } from './coupling.ts';

/** Noise that is drawn anew for a batch. */
export interface FreshNoise {
  readonly seeds: Uint32Array;
  /** float32 [batch, ...dims]: the normals of the seeds. */
  readonly source: Float32Array;
}

/** Noise for a batch as a function of the run's seed and the images seen alone. */
export function freshNoise(
  { target, indices }: Pick<CouplingBatch, 'target' | 'indices'>,
  { seed, imagesSeen }: CouplingContext,
): FreshNoise {
  const words = stream(seed, 'training-noise', imagesSeen);
  const seeds = Uint32Array.from(indices, () => words.uint32());
  return { seeds, source: normalsFromSeeds(seeds, target.length / indices.length) };
}

/** A coupling whose pairings are functions of the batch and its fresh noise. */
export function statelessCoupling(
  kind: string,
  pairFresh: (batch: CouplingBatch, noise: FreshNoise, context: CouplingContext) => Promise<Omit<Pairing, 'commit'>>,
): Coupling {
  return {
    kind,
    pair: (batch, context) => pairFresh(batch, freshNoise(batch, context), context),
    state: () => ({}),
    restore(state) {
      const names = Object.keys(state);
      if (names.length > 0) {
        throw new CheckpointError({
          expected: 'no coupling state',
          got: names.join(', '),
          where: `coupling/${kind}`,
          remedy: 'the coupling that the checkpoint was made with',
        });
      }
    },
  };
}
