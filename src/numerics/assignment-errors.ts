/** What is wrong with the costs of an assignment problem. */
import { NumericalError } from '../errors.ts';

const where = 'numerics/assignment solveAssignment';

/** The error for costs that no assignment can be made of. */
export function infeasible(): NumericalError {
  return new NumericalError({
    expected: 'an assignment that uses no forbidden pair',
    got: 'a cost matrix that is infeasible',
    where,
    remedy: 'finite costs where a pair is possible',
  });
}

/** The error for NaN, an infinity of the wrong sign, and duals that are not finite. */
export function invalidEntry(): NumericalError {
  return new NumericalError({
    expected: 'costs and duals that are finite, and +Infinity (for a maximum, -Infinity) for a forbidden pair',
    got: 'a matrix that contains invalid numeric entries',
    where,
  });
}
