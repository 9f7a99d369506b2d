/** Reverse-mode derivatives on the traced graph, and the forward-mode products that follow from differentiating twice. */
import { ShapeError } from '../errors.ts';
import { callsInOrder } from './graph.ts';
import * as operations from './ops.ts';
import { add, constant, multiply, reduceSum, zerosLike } from './ops.ts';
import type { Operations } from './primitive.ts';
import { type Passage, ReadRecorder, Recomputation } from './recomputation.ts';
import { formatShape } from './shape.ts';
import { type Call, FLOATS, formatType, placeholder, requireSameDtype, sameType, type Tensor } from './tensor.ts';
import { isTensor, type TensorTree } from './trace.ts';
import { flattenTree, mapTree } from './tree.ts';

/** Calls through which `sources` influence the calls listed, in their order, and all tensors that they influence. */
function influenceOf(sources: readonly Tensor[], calls: readonly Call[]) {
  const live = new Set<Tensor>(sources);
  const found = new Set<Call>();
  for (const call of calls) {
    if (!call.inputs.some((input) => live.has(input))) continue;
    found.add(call);
    for (const output of call.outputs) live.add(output);
  }
  return { calls: found, tensors: live };
}

function checkedCotangent(call: Call, index: number, cotangent: Tensor): Tensor {
  const input = call.inputs[index];
  if (sameType(cotangent, input)) return cotangent;
  throw new ShapeError({
    expected: `the gradient of input ${index} to be ${formatType(input)}`,
    got: formatType(cotangent),
    where: `engine/gradient of ${call.primitive.name} (a defect of flowloom, please report)`,
  });
}

/** Directions of a derivative must fit what they are directions of: nothing broadcasts here. */
function checkDirections(of: readonly Tensor[], directions: readonly Tensor[], what: string): void {
  if (of.length === directions.length && of.every((tensor, i) => sameType(tensor, directions[i]))) return;
  throw new ShapeError({
    expected: `${what} to be ${of.map(formatType).join(', ')}`,
    got: directions.map(formatType).join(', ') || 'none',
    where: 'engine/gradient',
  });
}

function checkSources(sources: readonly Tensor[]): void {
  for (const source of sources) requireSameDtype([source], 'engine/gradient sources', FLOATS);
}

/** Cotangents by tensor, each the sum of what has come to it so far. */
class Cotangents {
  readonly #sums = new Map<Tensor, Tensor>();
  readonly #rules: Operations = { ...operations, vectorJacobianProduct, addProducts };
  readonly #wanted: ReadonlySet<Tensor>;
  readonly #passage: Passage | null;

  /**
   * @param wanted  tensors through which the sources are reached.
   * @param passage  is told of every call that is passed.
   */
  constructor(wanted: ReadonlySet<Tensor>, passage: Passage | null) {
    this.#wanted = wanted;
    this.#passage = passage;
  }

  get(tensor: Tensor): Tensor | null {
    return this.#sums.get(tensor) ?? null;
  }

  add(tensor: Tensor, part: Tensor): void {
    const before = this.#sums.get(tensor);
    this.#sums.set(tensor, before === undefined ? part : add(before, part));
  }

  /** Takes what came to a call's outputs to its inputs. */
  passThrough(call: Call): void {
    const incoming = call.outputs.map((output) => this.get(output));
    if (incoming.every((cotangent) => cotangent === null)) return;
    const { primitive, inputs } = call;
    if (primitive.addGradient === undefined) {
      const read = this.#passage?.before(call, incoming) ?? call;
      const given = primitive.gradient(read, incoming, this.#rules);
      const parts = given.map((part, index) => (this.#wanted.has(inputs[index]) ? part : null));
      for (const [index, part] of parts.entries()) {
        if (part !== null) this.add(inputs[index], checkedCotangent(call, index, part));
      }
      this.#passage?.after(call, incoming, parts);
      return;
    }
    // A tensor that is an input twice is added to once as a sum, then as a part.
    const isFirst = (index: number) => inputs.indexOf(inputs[index]) === index;
    const before = inputs.map((input, index) => (isFirst(index) ? this.get(input) : null));
    const wanted = inputs.map((input) => this.#wanted.has(input));
    for (const [index, sum] of primitive.addGradient(call, { incoming, before, wanted }, this.#rules).entries()) {
      if (sum === null) continue;
      const checked = checkedCotangent(call, index, sum);
      if (isFirst(index)) this.#sums.set(inputs[index], checked);
      else this.add(inputs[index], checked);
    }
  }
}

/**
 * Vector-Jacobian product, see `vectorJacobianProduct`, added to what is there already, in the order of the graph's calls.
 * @param before  one a source; `null` for nothing.
 * @returns one a source; `null` where it has no influence and there was nothing before.
 */
export function addProducts(
  outputs: readonly Tensor[],
  sources: readonly Tensor[],
  {
    cotangents,
    before,
    passage = null,
  }: {
    readonly cotangents: readonly Tensor[];
    readonly before: readonly (Tensor | null)[];
    readonly passage?: Passage | null;
  },
): (Tensor | null)[] {
  checkSources(sources);
  checkDirections(outputs, cotangents, 'cotangents');
  const ordered = callsInOrder(outputs);
  const relevant = influenceOf(sources, ordered);
  const total = new Cotangents(relevant.tensors, passage);
  for (const [index, sum] of before.entries()) if (sum !== null) total.add(sources[index], sum);
  for (const [index, output] of outputs.entries()) total.add(output, cotangents[index]);
  for (let i = ordered.length - 1; i >= 0; i--) if (relevant.calls.has(ordered[i])) total.passThrough(ordered[i]);
  return sources.map((source) => total.get(source));
}

/**
 * Vector-Jacobian product: sum over outputs of cotangent^T d(output)/d(source), one tensor a source.
 * A source may be any float tensor of the graph, also an intermediate one. Sources without influence get zeros.
 * @param cotangents  one an output, of its type.
 * @throws ShapeError if a source is not a float, or a cotangent not of its output's type.
 */
export function vectorJacobianProduct(
  outputs: readonly Tensor[],
  sources: readonly Tensor[],
  cotangents: readonly Tensor[],
): Tensor[] {
  const products = addProducts(outputs, sources, { cotangents, before: sources.map(() => null) });
  return products.map((product, index) => product ?? zerosLike(sources[index]));
}

export interface GradientOptions {
  /**
   * Whether norms, activation functions and changes of shape are computed again where the gradient reads them, so that less is kept of the
   * forward pass, see `Recomputation`. Values are the same. Default false.
   */
  readonly recompute?: boolean;
}

/**
 * Gradient of a scalar with respect to a tree of tensors: a tree of the same form.
 * @param scalar  float [].
 * @param tree  tensors of the graph, placeholders or intermediate values; those without influence get zeros.
 * @throws ShapeError if `scalar` has axes, or `scalar` or a tensor of the tree is not a float.
 */
export function gradient<T extends TensorTree>(
  scalar: Tensor,
  tree: T,
  { recompute = false }: GradientOptions = {},
): T {
  if (scalar.shape.length !== 0) {
    throw new ShapeError({
      expected: '`scalar` to have shape []',
      got: formatShape(scalar.shape),
      where: 'engine/gradient',
      remedy: 'a mean or a sum of it',
    });
  }
  requireSameDtype([scalar], 'engine/gradient', FLOATS);
  const leaves = flattenTree<Tensor>(tree, isTensor).map(([, leaf]) => leaf);
  const [cotangents, before] = [[constant(1, scalar.dtype)], leaves.map(() => null)];
  const products = (passage: Passage | null) => addProducts([scalar], leaves, { cotangents, before, passage });
  let passage: Passage | null = null;
  if (recompute) {
    const recorder = new ReadRecorder();
    products(recorder);
    passage = new Recomputation(callsInOrder([scalar]), recorder.reads);
  }
  const gradients = products(passage).map((product, index) => product ?? zerosLike(leaves[index]));
  let next = 0;
  return mapTree<Tensor, Tensor>(tree, isTensor, () => gradients[next++]) as T;
}

/**
 * Jacobian-vector product: sum over sources of d(output)/d(source) tangent, of the output's type. It is obtained by differentiating
 * the vector-Jacobian product, which is linear in its cotangent, with respect to that cotangent.
 * @param tangents  one a source, of its type.
 * @throws ShapeError if a source is not a float, or a tangent not of its source's type.
 */
export function jacobianVectorProduct(output: Tensor, sources: readonly Tensor[], tangents: readonly Tensor[]): Tensor {
  checkDirections(sources, tangents, 'tangents');
  const cotangent = placeholder(output);
  const products = vectorJacobianProduct([output], sources, [cotangent]);
  return vectorJacobianProduct(products, [cotangent], tangents)[0];
}

/**
 * Hessian-vector product of a scalar: the gradient of <gradient, tangent>, one tensor a source.
 * @param tangents  one a source, of its type.
 * @throws ShapeError if `scalar` has axes, a source is not a float, or a tangent not of its source's type.
 */
export function hessianVectorProduct(
  scalar: Tensor,
  sources: readonly Tensor[],
  tangents: readonly Tensor[],
): Tensor[] {
  checkDirections(sources, tangents, 'tangents');
  const products = gradient(scalar, sources).map((part, index) => reduceSum(multiply(part, tangents[index])));
  return [...gradient(products.reduce(add, constant(0, scalar.dtype)), sources)];
}
