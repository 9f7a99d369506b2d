import { NumericalError } from '../errors.ts';
export async function nonFiniteError(..._rest: unknown[]): Promise<NumericalError> {
  return new NumericalError('loss not finite');
}
