/** All operators that can be imported, by domain and `op_type`. */
import type { Operator, Operators } from '../operator.ts';
import { activationOperators, contributedActivations } from './activation.ts';
import { arithmeticOperators } from './arithmetic.ts';
import { constantOperators } from './constants.ts';
import { controlOperators } from './control.ts';
import { convolutionOperators } from './convolution.ts';
import { cuttingOperators } from './cutting.ts';
import { indexingOperators } from './indexing.ts';
import { normalizationOperators } from './normalization.ts';
import { orderingOperators } from './ordering.ts';
import { poolingOperators } from './pooling.ts';
import { contributedProducts, productOperators } from './products.ts';
import { quantizationOperators } from './quantization.ts';
import { reducingOperators } from './reducing.ts';
import { resizeOperators } from './resize.ts';
import { shapingOperators } from './shaping.ts';
import { unaryOperators } from './unary.ts';

function merged(...families: readonly Operators[]): ReadonlyMap<string, Operator> {
  return new Map(families.flatMap((family) => Object.entries(family)));
}

/** By domain (`''` is ONNX's own), then by `op_type`. */
export const operators: ReadonlyMap<string, ReadonlyMap<string, Operator>> = new Map([
  [
    '',
    merged(
      activationOperators,
      arithmeticOperators,
      constantOperators,
      controlOperators,
      convolutionOperators,
      cuttingOperators,
      indexingOperators,
      normalizationOperators,
      orderingOperators,
      poolingOperators,
      productOperators,
      quantizationOperators,
      reducingOperators,
      resizeOperators,
      shapingOperators,
      unaryOperators,
    ),
  ],
  ['com.microsoft', merged(contributedActivations, contributedProducts)],
]);
