import { describe, expect, test } from 'vitest';
import { closeGraph, expandGraph, type Graph, inlineGraph, placeholdersFor } from '../../src/engine/graph.ts';
import { hashGraph, printGraph } from '../../src/engine/graph-text.ts';
import {
  add,
  constantTensor,
  exp,
  matmul,
  multiply,
  negate,
  reduceSum,
  rematerialise,
  sin,
  split,
  topK,
} from '../../src/engine/ops.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { ShapeError } from '../../src/errors.ts';

const vector = tensorType([3], 'float64');
const names = ({ calls }: Graph) => calls.map(({ primitive }) => primitive.name);

describe('a closed graph', () => {
  test('has no calls that no output needs', () => {
    const graph = trace(
      ({ x }) => {
        exp(sin(x));
        return { y: negate(x) };
      },
      { x: vector },
    );
    expect(names(graph)).toEqual(['negate']);
    expect(graph.values).toHaveLength(2);
  });

  test('keeps inputs that no output needs', () => {
    const graph = trace(({ x }) => ({ y: negate(x) }), { x: vector, unused: tensorType([7], 'int32') });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
    verifyGraph(graph);
  });

  test('shares equal work, however far apart it was written', () => {
    const twice = (x: Tensor) => multiply(exp(x), 2);
    const graph = trace(({ x }) => ({ y: add(twice(x), sin(x)), z: twice(x) }), { x: vector });
    expect(names(graph).sort()).toEqual(['add', 'constant', 'exp', 'multiply', 'sin']);
  });

  test.each([
    ['operands', (x: Tensor) => [matmul(x, x, { transposeB: true }), matmul(x, x, { transposeA: true })]],
    ['constants', (x: Tensor) => [multiply(x, 2), multiply(x, 3)]],
    ['signs of zero', (x: Tensor) => [multiply(x, 0), multiply(x, -0)]],
    ['long constants', (x: Tensor) => [0, 1].map((last) => multiply(x, longConstant(last)))],
  ])('keeps calls apart that differ in their %s', (_what, f) => {
    const graph = trace(({ x }) => f(x), { x: tensorType([4, 4]) });
    expect(graph.outputs[0].value).not.toBe(graph.outputs[1].value);
  });

  test('shares long constants with equal elements', () => {
    const graph = trace(({ x }) => [multiply(x, longConstant(1)), add(x, longConstant(1))], { x: tensorType([4, 4]) });
    expect(names(graph)).toEqual(['constant', 'multiply', 'add']);
  });

  test('has the results of one call once, whichever of them are used', () => {
    const graph = trace(({ x }) => ({ values: topK(x, 2).values, indices: topK(x, 2).indices }), { x: vector });
    expect(names(graph)).toEqual(['topK']);
    verifyGraph(graph);
  });

  test('refuses a placeholder of another trace', () => {
    const foreign = placeholder(vector);
    expect(() => trace(({ x }) => add(x, foreign), { x: vector })).toThrow(
      'Expected every tensor to come from the inputs; got a placeholder f64[3] of another trace. In engine/graph. Try passing it as an input.',
    );
  });

  test('refuses empty and equal names', () => {
    const x = placeholder(vector);
    expect(() => closeGraph([['', x]], [['y', x]])).toThrow('each input to have a name of its own; got an empty name');
    expect(() =>
      closeGraph(
        [['x', x]],
        [
          ['y', x],
          ['y', x],
        ],
      ),
    ).toThrow('each output to have a name of its own; got `y` twice');
    expect(() => trace(({ x }) => ({ 'a.b': x, a: { b: x } }), { x: vector })).toThrow(ShapeError);
  });

  test('starts at intermediate tensors that are given as inputs', () => {
    const x = placeholder(vector);
    const middle = exp(x);
    const graph = closeGraph([['middle', middle]], [['y', negate(sin(middle))]]);
    expect(names(graph)).toEqual(['sin', 'negate']);
    verifyGraph(graph);
  });

  test('is not touched when the lists that it was made from change', () => {
    const shape = [2, 3];
    const parts: Tensor[] = split(placeholder(tensorType([4])), 2, 0);
    const type = tensorType(shape);
    const x = placeholder(type);
    shape[0] = 9;
    parts.pop();
    expect(x.shape).toEqual([2, 3]);
  });
});

function longConstant(last: number): Tensor {
  return constantTensor([...new Array<number>(4 * 4 - 1).fill(0.5), last], [4, 4]);
}

describe('inlineGraph', () => {
  const f = ({ x, w }: { readonly x: Tensor; readonly w: Tensor }) => ({
    loss: reduceSum(exp(matmul(x, w))),
    hidden: sin(matmul(x, w)),
  });
  const types = { x: tensorType([2, 3]), w: tensorType([3, 2]) };

  test('is the inverse of tracing', () => {
    const graph = trace(f, types);
    const again = trace((inputs) => inlineGraph(graph, inputs as Record<string, Tensor>), types);
    expect(printGraph(again)).toBe(printGraph(graph));
    expect(hashGraph(again)).toBe(hashGraph(graph));
  });

  test('composes graphs', () => {
    const square = trace(({ x }) => ({ y: multiply(x, x) }), { x: vector });
    const fourth = trace(({ x }) => inlineGraph(square, { x: inlineGraph(square, { x }).y }), { x: vector });
    expect(names(fourth)).toEqual(['multiply', 'multiply']);
  });

  test('says which input is missing or of another type', () => {
    const graph = trace(f, types);
    const { x, w } = placeholdersFor(graph);
    expect(() => inlineGraph(graph, { x })).toThrow('Expected an input `w` of type f32[3,2]; got none.');
    expect(() => inlineGraph(graph, { x: w, w })).toThrow('an input `x` of type f32[2,3]; got f32[3,2].');
  });
});

test('expandGraph puts bodies in place of the calls that have them, to any depth', () => {
  const plain = trace(({ x }) => ({ y: sin(exp(x)) }), { x: vector });
  const nested = trace(({ x }) => ({ y: rematerialise((a) => rematerialise((b) => sin(exp(b)), [a]), [x])[0] }), {
    x: vector,
  });
  expect(names(nested)).toEqual(['rematerialise']);
  expect(printGraph(expandGraph(nested))).toBe(printGraph(plain));
  expect(expandGraph(plain)).toBe(plain);
});
