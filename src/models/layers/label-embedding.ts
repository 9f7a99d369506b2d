import { gather, sliceAxis } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { normal, type ParameterSpec, parameter } from '../parameters.ts';
import type { Layer } from './layer.ts';

/** `table` is [classes + 1, features]. */
export type LabelParameters = { readonly table: ParameterSpec };

/**
 * A learned vector for each class and, in the last row, for the null class: the vector of "no label" that guidance needs.
 * Labels int32 [batch] in [0, classes] give [batch, features]; `null` gives the null class as [1, features].
 * Source: [ho:22].
 * @param options.deviation  of the normal start.
 */
export function labelEmbedding(
  classes: number,
  features: number,
  { deviation }: { readonly deviation: number },
): Layer<LabelParameters, Tensor | null> {
  return {
    parameters: { table: parameter([classes + 1, features], normal(deviation)) },
    apply: ({ table }, labels) =>
      labels === null ? sliceAxis(table, 0, classes, classes + 1) : gather(table, labels, 0),
  };
}
