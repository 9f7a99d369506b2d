import { ConfigError, NumericalError, ShapeError } from '../errors.ts';
import { checkEqualMass, checkedMarginal } from './transport-plan.ts';

/** Mass that goes from points to points, one entry a pair of points; entries follow the line. */
export interface LineTransport {
  /** Index of the point where the mass comes from, int32 [entries]. */
  readonly from: Int32Array;
  /** Index of the point where it goes, int32 [entries]. */
  readonly to: Int32Array;
  /** float64 [entries], > 0. */
  readonly mass: Float64Array;
  /** Sum of mass times |from - to|^power: W_p^p for masses that sum to 1. */
  readonly cost: number;
}

const where = 'numerics/transport-1d';

/**
 * The optimal pairing of two samples of equal size on the line for the cost |x - y|^power: the k-th smallest with the k-th smallest.
 * `cost` is the mean cost of a pair, W_p^p of the two empirical distributions. Equal points keep the order of their indices.
 *
 * Source: [peyre:19], section 2.6. It is optimal for every power >= 1 at once; below 1 the cost is concave and sorting is wrong.
 * @returns for each x the index of its y, int32 [n], and the mean cost.
 * @throws ShapeError if the sizes differ or are 0; NumericalError if a point is not finite; ConfigError if power < 1.
 */
export function sortedPairing(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  { power = 2 }: { readonly power?: number } = {},
): { readonly partner: Int32Array; readonly cost: number } {
  checkPower(power);
  if (x.length !== y.length) {
    throw new ShapeError({
      expected: '`x` and `y` to have equally many points',
      got: `${x.length} and ${y.length}`,
      where,
      remedy: '`transport1d`, which spreads mass',
    });
  }
  const [fromOrder, toOrder] = [sortedOrder(x, 'x'), sortedOrder(y, 'y')];
  const partner = new Int32Array(x.length);
  let cost = 0;
  for (let k = 0; k < x.length; k++) {
    partner[fromOrder[k]!] = toOrder[k]!;
    cost += Math.abs(x[fromOrder[k]!]! - y[toOrder[k]!]!) ** power;
  }
  return { partner, cost: cost / x.length };
}

/**
 * The optimal plan between two weighted samples on the line for the cost |x - y|^power: the quantile function of one is joined to that
 * of the other. At most n + m - 1 pairs carry mass.
 *
 * Source: [peyre:19], section 2.6. Optimal for every power >= 1.
 * @param options.xMass  mass of each x, by default 1/n each; likewise `yMass`. Both sides have the same total.
 * @throws ShapeError if there is no point or a length does not fit; NumericalError if a point is not finite; ConfigError if power < 1,
 * a mass is negative, or the totals differ.
 */
export function transport1d(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: {
    readonly power?: number;
    readonly xMass?: ArrayLike<number>;
    readonly yMass?: ArrayLike<number>;
  } = {},
): LineTransport {
  const { power = 2, xMass = null, yMass = null } = options;
  checkPower(power);
  const [fromOrder, toOrder] = [sortedOrder(x, 'x'), sortedOrder(y, 'y')];
  const supply = checkedMarginal(xMass, { name: 'xMass', count: x.length, where });
  const demand = checkedMarginal(yMass, { name: 'yMass', count: y.length, where });
  checkEqualMass(supply, demand, where);
  const entries: { readonly from: number; readonly to: number; readonly mass: number }[] = [];
  let cost = 0;
  for (let i = 0, j = 0; i < x.length && j < y.length; ) {
    const [from, to] = [fromOrder[i]!, toOrder[j]!];
    const [offered, wanted] = [supply[from]!, demand[to]!];
    const mass = Math.min(offered, wanted);
    if (mass > 0) {
      entries.push({ from, to, mass });
      cost += mass * Math.abs(x[from]! - y[to]!) ** power;
    }
    supply[from] = offered - mass;
    demand[to] = wanted - mass;
    // The point that is used up makes room; both do if they end together.
    if (offered <= wanted) i++;
    if (wanted <= offered) j++;
  }
  return {
    from: Int32Array.from(entries, ({ from }) => from),
    to: Int32Array.from(entries, ({ to }) => to),
    mass: Float64Array.from(entries, ({ mass }) => mass),
    cost,
  };
}

function checkPower(power: number): void {
  if (power >= 1 && Number.isFinite(power)) return;
  throw new ConfigError({ expected: '`power` to be a finite number of at least 1', got: String(power), where });
}

/** Indices of the points from the least to the greatest; equal ones in the order of their indices. */
function sortedOrder(points: ArrayLike<number>, name: string): Uint32Array {
  if (points.length === 0) throw new ShapeError({ expected: `\`${name}\` to hold points`, got: 'none', where });
  const order = Uint32Array.from({ length: points.length }, (_, i) => i);
  for (const i of order) {
    if (Number.isFinite(points[i]!)) continue;
    throw new NumericalError({ expected: `\`${name}\` to be finite`, got: `${points[i]} at ${i}`, where });
  }
  return order.sort((a, b) => points[a]! - points[b]! || a - b);
}
