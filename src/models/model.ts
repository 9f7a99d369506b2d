/** What every generative network offers to training and sampling. */

import { formatShape, type Shape, sameShape } from '../engine/shape.ts';
import { formatType, type Tensor } from '../engine/tensor.ts';
import type { TensorTree } from '../engine/trace.ts';
import { ShapeError } from '../errors.ts';
import type { Rematerialisation } from './layers/rematerialisation.ts';
import type { ParameterTree } from './parameters.ts';

export interface ModelInputs {
  /** Points on the path, float [batch, ...dims]. */
  readonly x: Tensor;
  /** Times in [0, 1], [batch], of the dtype of x; 0 is noise, 1 is data. */
  readonly time: Tensor;
  /** Class labels, int32 [batch], in [0, classes]; `classes` is the null class. `null` means the null class throughout. */
  readonly labels: Tensor | null;
}

/** How a network is applied. */
export interface ApplyOptions {
  /** What the gradient computes again. Default `nothing`. */
  readonly rematerialise?: Rematerialisation;
}

/** A network as a pure function of its parameters and inputs. */
export interface Model {
  /** Kind and size, e.g. `DiT-S/2`. */
  readonly name: string;
  readonly parameters: ParameterTree;
  /** What the output is: `velocity`, in data units per unit time. */
  readonly predicts: 'velocity';
  /** One sample. */
  readonly input: { readonly shape: Shape };
  /** Number of classes, the null class not counted; `null` for a model without labels. */
  readonly classes: number | null;
  /**
   * @param parameters  tensors in the form of `parameters`.
   * @returns float, shaped like x.
   * @throws ShapeError if x, time or labels do not fit the model.
   */
  apply(parameters: TensorTree, inputs: ModelInputs, options?: ApplyOptions): Tensor;
}

/** @throws ShapeError unless the inputs fit the model. */
export function checkInputs(
  { name, input, classes }: Pick<Model, 'name' | 'input' | 'classes'>,
  { x, time, labels }: ModelInputs,
): void {
  const where = `models ${name}`;
  const [batch] = x.shape;
  if (!sameShape(x.shape.slice(1), input.shape)) {
    const expected = `\`x\` to be [batch, ...dims] = [batch, ${input.shape.join(', ')}]`;
    throw new ShapeError({ expected, got: formatShape(x.shape), where });
  }
  if (!sameShape(time.shape, [batch]) || time.dtype !== x.dtype) {
    throw new ShapeError({ expected: `\`time\` to be ${x.dtype} [batch] = [${batch}]`, got: formatType(time), where });
  }
  if (labels === null) return;
  if (classes === null) {
    throw new ShapeError({
      expected: '`labels` to be null, as the model has no classes',
      got: formatType(labels),
      where,
    });
  }
  if (!sameShape(labels.shape, [batch]) || labels.dtype !== 'int32') {
    throw new ShapeError({ expected: `\`labels\` to be int32 [batch] = [${batch}]`, got: formatType(labels), where });
  }
}
