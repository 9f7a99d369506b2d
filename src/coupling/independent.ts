/** The independent coupling: fresh noise for every image, every time. */
import type { Coupling } from './coupling.ts';
import { statelessCoupling } from './stateless-coupling.ts';

/** Pairs each datum with noise drawn independently of it: q(x, z) = q(x) N(z; 0, 1). Source: [lipman:23], [davtyan:25] section 2. */
export function independentCoupling(): Coupling {
  return statelessCoupling('independent', async ({ target, labels }, noise) => ({
    ...noise,
    target,
    labels,
    cost: null,
    report: null,
  }));
}
