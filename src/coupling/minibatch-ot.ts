/** Optimal transport within the batch: fresh noise, given to the data in the cheapest order. */
import type { Coupling } from './coupling.ts';
import { optimalPairing, type PairingTools, pairingOf } from './optimal-pairing.ts';
import { statelessCoupling } from './stateless-coupling.ts';
import type { CostKind } from './transport-cost.ts';

export interface MinibatchOtOptions {
  readonly cost: CostKind;
  /** Whether noises are exchanged among data of the same label alone. */
  readonly perClass: boolean;
}

/**
 * Draws a noise for each datum of the batch and permutes the noises so that the total cost is least. A true permutation: every datum
 * and every noise is used once, and the data keep their order.
 *
 * Sources: [pooladian:23] (BatchOT), [tong:24] (OT-CFM, which samples pairs from the plan with replacement instead). Fails when the
 * batch is small beside the data: the noise of a datum then is far from its own by the optimal plan of the whole set.
 */
export function minibatchOtCoupling({ cost: kind, perClass }: MinibatchOtOptions, tools: PairingTools): Coupling {
  return statelessCoupling('minibatch-ot', async ({ target, labels }, noise) => {
    const rows = { ...noise, target, labels, elements: target.length / labels.length };
    const groups = perClass ? labels : null;
    return pairingOf(rows, await optimalPairing(rows, { kind, groups, nearIdentity: false }, tools));
  });
}
