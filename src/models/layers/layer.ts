/** What a layer is: parameters, and a pure function of their tensors and an input. */
import type { Tensor } from '../../engine/tensor.ts';
import type { TensorTree } from '../../engine/trace.ts';
import type { ParameterTree, TensorsOf } from '../parameters.ts';

export interface Layer<P extends ParameterTree, X = Tensor> {
  readonly parameters: P;
  apply(parameters: TensorsOf<P>, x: X): Tensor;
}

/** A layer whose parameters only it knows. */
export interface OpaqueLayer {
  readonly parameters: ParameterTree;
  apply(parameters: TensorTree, x: Tensor): Tensor;
}

/** The parameters of layers, under the layers' names. */
export function parametersOf<L extends { readonly [name: string]: { readonly parameters: ParameterTree } }>(
  layers: L,
): { readonly [K in keyof L]: L[K]['parameters'] } {
  // Object.fromEntries forgets which key has which value.
  return Object.fromEntries(Object.entries(layers).map(([name, { parameters }]) => [name, parameters])) as {
    readonly [K in keyof L]: L[K]['parameters'];
  };
}
