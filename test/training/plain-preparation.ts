import { independentCoupling } from '../../src/coupling/independent.ts';
import { uniformTime } from '../../src/path/time-sampling.ts';

/** How batches are prepared where nothing but their seed is chosen: independent noise, uniform times, no labels. */
export function plainPreparation(seed = 0) {
  return {
    coupling: independentCoupling(),
    time: uniformTime(),
    classes: null,
    labelDropout: 0,
    jitter: false,
    seed,
  };
}
