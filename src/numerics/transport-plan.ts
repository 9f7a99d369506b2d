/** What optimal transport starts from and arrives at: marginals and plans. */
import { ConfigError, ShapeError } from '../errors.ts';

/**
 * A transport plan P [rows, columns]: how much mass of each row goes to each column. Rows are computed when asked for, so that a
 * plan of many rows need not lie in memory.
 */
export interface TransportPlan {
  readonly rows: number;
  readonly columns: number;
  /** Mass of each row, float64 [rows]: what the sums of the plan's rows should be. */
  readonly rowMarginal: Float64Array;
  /** Mass of each column, float64 [columns]. */
  readonly columnMarginal: Float64Array;
  /** P[row, :], float64 [columns]; written into `out` if given, else a new array. */
  row(row: number, out?: Float64Array): Float64Array;
}

/** Masses of both sides whose sums differ by more than this part of them belong to no plan; less is rounding. */
const massTolerance = 1e-9;

/**
 * The masses of one side, copied to float64 [count]: the given ones, or 1/count each.
 * @throws ShapeError if there are not `count` of them; ConfigError if one is negative or not finite, or all are 0.
 */
export function checkedMarginal(
  given: ArrayLike<number> | null,
  { name, count, where }: { readonly name: string; readonly count: number; readonly where: string },
): Float64Array {
  if (given === null) return new Float64Array(count).fill(1 / count);
  if (given.length !== count) {
    throw new ShapeError({ expected: `\`${name}\` to be [${count}]`, got: `[${given.length}]`, where });
  }
  const masses = Float64Array.from(given);
  const fault = masses.findIndex((mass) => !(mass >= 0 && Number.isFinite(mass)));
  if (fault >= 0) {
    throw new ConfigError({
      expected: `\`${name}\` to hold finite masses of at least 0`,
      got: `${masses[fault]} at ${fault}`,
      where,
    });
  }
  if (masses.some((mass) => mass > 0)) return masses;
  throw new ConfigError({ expected: `\`${name}\` to hold a mass above 0`, got: 'zeros only', where });
}

/** @throws ConfigError if two marginals have not the same total. */
export function checkEqualMass(first: Float64Array, second: Float64Array, where: string): void {
  const [one, other] = [total(first), total(second)];
  if (Math.abs(one - other) <= massTolerance * Math.max(one, other)) return;
  throw new ConfigError({
    expected: 'both sides to have the same total mass',
    got: `${one} and ${other}`,
    where,
    remedy: 'dividing each side by its sum',
  });
}

/** Sum in float64. */
export function total(masses: Float64Array): number {
  let sum = 0;
  for (const mass of masses) sum += mass;
  return sum;
}
