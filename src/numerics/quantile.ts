/**
 * A quantile of values, float64: on straight lines between the ordered values, of which number i of n is the quantile i/(n - 1). NaN of
 * no values.
 *
 * Source: [hyndman:96], definition 7.
 * @param share  in [0, 1]; 0.5 is the median.
 */
export function quantile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}
