/** Standard errors of statistics that are no means, from their values without one part of the data. */

/**
 * The delete-a-group jackknife: sqrt((g - 1)/g sum_j (value_j - mean)^2), for the values without each of g groups of equal size
 * into which independent data were divided by chance. For statistics that are smooth in the data's distribution.
 *
 * Source: [efron:93], eq. (11.5) with groups for single data.
 * @param values  the statistic without group j, [g].
 * @returns the standard error of the statistic of all data; NaN for a single group.
 */
export function jackknifeError(values: ArrayLike<number>): number {
  const groups = values.length;
  let sum = 0;
  for (let j = 0; j < groups; j++) sum += values[j]!;
  const mean = sum / groups;
  let squares = 0;
  for (let j = 0; j < groups; j++) squares += (values[j]! - mean) ** 2;
  return groups < 2 ? Number.NaN : Math.sqrt(((groups - 1) / groups) * squares);
}
