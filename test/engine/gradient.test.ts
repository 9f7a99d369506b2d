import { describe, expect, test } from 'vitest';
import {
  gradient,
  hessianVectorProduct,
  jacobianVectorProduct,
  vectorJacobianProduct,
} from '../../src/engine/gradient.ts';
import { closeGraph, type NamedTensor } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import {
  add,
  cast,
  exp,
  matmul,
  multiply,
  reduceMean,
  reduceSum,
  sin,
  softmax,
  stopGradient,
  subtract,
  tanh,
  topK,
} from '../../src/engine/ops.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { ShapeError } from '../../src/errors.ts';
import { uniforms } from './examples.ts';
import { centralDifference, relativeError } from './execute-graph.ts';

const double = (...shape: number[]) => tensorType(shape, 'float64');

/** Parameters of a network with one hidden layer, a batch for it, and a tangent for each parameter. */
function network() {
  const next = uniforms(3);
  const shapes = { first: [3, 4], offset: [4], second: [4, 2], x: [5, 3], wanted: [5, 2] };
  const tensors: Record<string, Tensor> = {};
  const values: Record<string, Float64Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    tensors[name] = placeholder(double(...shape));
    values[name] = Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * next() - 1);
  }
  const { first, offset, second, x, wanted } = tensors;
  const hidden = tanh(add(matmul(x, first), offset));
  const prediction = matmul(hidden, second);
  const error = subtract(prediction, wanted);
  const sources = [first, offset, second];
  const tangents = sources.map(({ shape }) => placeholder(double(...shape)));
  const directions = Object.fromEntries(
    ['first', 'offset', 'second'].map((name) => [name, values[name].map(() => 2 * next() - 1) as Float64Array]),
  );
  const ports: NamedTensor[] = Object.entries(tensors);
  const tangentPorts: NamedTensor[] = tangents.map((tangent, i) => [`tangent${i}`, tangent]);
  return {
    ...{ tensors, values, sources, tangents, directions, ports, hidden, prediction },
    loss: reduceMean(multiply(error, error)),
    allPorts: [...ports, ...tangentPorts],
    allValues: {
      ...values,
      ...Object.fromEntries(Object.values(directions).map((array, i) => [`tangent${i}`, array])),
    },
  };
}

describe('the gradient', () => {
  test('along a direction is the central difference of the loss', () => {
    const { ports, loss, sources, values, directions } = network();
    const graph = closeGraph(
      ports,
      gradient(loss, sources).map((part, i) => [`${i}`, part]),
    );
    verifyGraph(graph);
    const parts = interpret(graph, values);
    const along = Object.values(directions).map((direction, i) =>
      direction.reduce((sum, t, j) => sum + t * parts[i][j], 0),
    );
    const wanted = centralDifference(closeGraph(ports, [['loss', loss]]), { inputs: values, directions });
    expect(along.reduce((a, b) => a + b)).toBeCloseTo(wanted[0], 8);
  });

  test('has the form of the tree of its sources', () => {
    const x = placeholder(double(2));
    const tree = { blocks: [{ weight: x }, { weight: exp(x) }], last: x };
    const result = gradient(reduceSum(multiply(x, x)), tree);
    expect(Array.isArray(result.blocks)).toBe(true);
    expect(Object.keys(result)).toEqual(['blocks', 'last']);
    expect(result.blocks[1].weight.shape).toEqual([2]);
    expect(result.blocks[0].weight).toBe(result.last);
  });

  test('with respect to an intermediate tensor holds what comes before it fixed', () => {
    // loss = sum(h^2) + sum(x), h = 3 x: d loss / d h = 2 h, and d loss / d x = 18 x + 1.
    const graph = trace(
      ({ x }) => {
        const h = multiply(x, 3);
        const loss = add(reduceSum(multiply(h, h)), reduceSum(x));
        const [forH, forX] = gradient(loss, [h, x]);
        return { h: forH, x: forX, alone: gradient(loss, h) };
      },
      { x: double(2) },
    );
    const results = interpret(graph, { x: [1, -2] });
    expect(Array.from(results.h)).toEqual([6, -12]);
    expect(Array.from(results.alone)).toEqual([6, -12]);
    expect(Array.from(results.x)).toEqual([19, -35]);
  });

  test('with respect to the scalar itself is one', () => {
    const graph = trace(({ x }) => gradient(x, [x]), { x: double() });
    expect(Array.from(interpret(graph, { x: [4] })['0'])).toEqual([1]);
  });

  test('adds up over all uses of a tensor', () => {
    const graph = trace(({ x }) => gradient(reduceSum(add(multiply(x, x), add(x, x))), x), { x: double(2) });
    expect(Array.from(interpret(graph, { x: [1, 5] }).output)).toEqual([4, 12]);
  });

  test('is zero for sources without influence, behind stopGradient, and through conditions', () => {
    const graph = trace(
      ({ x, other }) => {
        const loss = add(reduceSum(stopGradient(exp(x))), reduceSum(multiply(x, cast(cast(x, 'int32'), 'float64'))));
        return gradient(loss, { x, other, later: exp(other) });
      },
      { x: double(2), other: double(3) },
    );
    const results = interpret(graph, { x: [1.5, -2.5], other: [1, 2, 3] });
    expect(Array.from(results.x)).toEqual([1, -2]);
    expect(Array.from(results.other)).toEqual([0, 0, 0]);
    expect(Array.from(results.later)).toEqual([0, 0, 0]);
  });

  test('computes nothing that it does not need', () => {
    // Of the product's two derivatives only one is asked for, and the value of the loss is not.
    const graph = trace(({ x, w }) => gradient(reduceSum(sin(matmul(x, w))), w), { x: double(2, 3), w: double(3, 4) });
    const names = graph.calls.map(({ primitive }) => primitive.name);
    expect(names.filter((name) => name === 'matmul')).toHaveLength(2);
    expect(names).not.toContain('sin');
    expect(names).not.toContain('reduceSum');
  });

  test('of a gradient of a network is the central difference of the gradient', () => {
    const { ports, loss, sources, values, directions } = network();
    const first = gradient(loss, sources);
    const norm = first.map((part) => reduceSum(multiply(part, part))).reduce((a, b) => add(a, b));
    const second = interpret(
      closeGraph(
        ports,
        gradient(norm, sources).map((part, i) => [`${i}`, part]),
      ),
      values,
    );
    const along = Object.values(directions).map((direction, i) =>
      direction.reduce((sum, t, j) => sum + t * second[i][j], 0),
    );
    const wanted = centralDifference(closeGraph(ports, [['norm', norm]]), { inputs: values, directions });
    expect(along.reduce((a, b) => a + b)).toBeCloseTo(wanted[0], 7);
  });

  test('of sin, four times, is sin', () => {
    const graph = trace(
      ({ x }) => {
        let y = sin(x);
        for (let order = 0; order < 4; order++) y = gradient(y, x);
        return y;
      },
      { x: double() },
    );
    expect(interpret(graph, { x: [0.7] }).output[0]).toBeCloseTo(Math.sin(0.7), 15);
  });
});

describe('the gradient is refused', () => {
  test('of what is not a scalar, with the remedy', () => {
    const x = placeholder(double(2));
    expect(() => gradient(x, [x])).toThrow(
      'Expected `scalar` to have shape []; got [2]. In engine/gradient. Try a mean or a sum of it.',
    );
  });

  test('of and with respect to integers', () => {
    const x = placeholder(tensorType([2], 'int32'));
    expect(() => gradient(reduceSum(x), [])).toThrow('a dtype among float32, float64, float16; got i32[]');
    expect(() => gradient(reduceSum(cast(x, 'float32')), { x })).toThrow(
      'a dtype among float32, float64, float16; got i32[2]',
    );
  });

  test('for directions that do not fit', () => {
    const x = placeholder(double(2));
    const one = placeholder(double(1));
    expect(() => vectorJacobianProduct([x], [x], [one])).toThrow('cotangents to be f64[2]; got f64[1]');
    expect(() => vectorJacobianProduct([x], [x], [])).toThrow('cotangents to be f64[2]; got none');
    expect(() => jacobianVectorProduct(x, [x], [one])).toThrow('tangents to be f64[2]; got f64[1]');
    expect(() => hessianVectorProduct(reduceSum(x), [x], [one])).toThrow(ShapeError);
  });
});

describe('products', () => {
  test('of Jacobian and vector are central differences of the output', () => {
    const { ports, allPorts, prediction, sources, tangents, values, allValues, directions } = network();
    const product = jacobianVectorProduct(prediction, sources, tangents);
    const graph = closeGraph(allPorts, [['product', product]]);
    verifyGraph(graph);
    const wanted = centralDifference(closeGraph(ports, [['y', prediction]]), { inputs: values, directions });
    expect(relativeError(interpret(graph, allValues).product, wanted)).toBeLessThan(1e-8);
  });

  test('of vector and Jacobian are the transpose of those of Jacobian and vector', () => {
    const { allPorts, prediction, sources, tangents, allValues } = network();
    const cotangent = softmax(prediction);
    const forward = jacobianVectorProduct(prediction, sources, tangents);
    const backward = vectorJacobianProduct([prediction], sources, [cotangent]);
    const graph = closeGraph(allPorts, [
      ['forward', reduceSum(multiply(cotangent, forward))],
      ['backward', backward.map((part, i) => reduceSum(multiply(part, tangents[i]))).reduce((a, b) => add(a, b))],
    ]);
    const results = interpret(graph, allValues);
    expect(results.forward[0]).toBeCloseTo(results.backward[0], 12);
  });

  test('of Hessian and vector are central differences of the gradient', () => {
    const { ports, allPorts, loss, sources, tangents, values, allValues, directions } = network();
    const products = hessianVectorProduct(loss, sources, tangents);
    const results = interpret(
      closeGraph(
        allPorts,
        products.map((part, i) => [`${i}`, part]),
      ),
      allValues,
    );
    for (const [i, part] of gradient(loss, sources).entries()) {
      const wanted = centralDifference(closeGraph(ports, [['g', part]]), { inputs: values, directions });
      expect(relativeError(results[i], wanted), `source ${i}`).toBeLessThan(1e-7);
    }
  });

  test('go through several outputs at once', () => {
    const graph = trace(({ x, a, b }) => vectorJacobianProduct([exp(x), multiply(x, x)], [x], [a, b]), {
      x: double(2),
      a: double(2),
      b: double(2),
    });
    const { '0': result } = interpret(graph, { x: [0, 1], a: [1, 2], b: [10, 100] });
    expect(Array.from(result)).toEqual([1, 2 * Math.E + 200]);
  });
});

test('gradients flow past outputs that carry none, such as the indices of topK', () => {
  // loss = sum over the two largest of (x^2 + their index): 2 x there, 0 elsewhere.
  const graph = trace(
    ({ x }) => {
      const { values, indices } = topK(x, 2);
      return gradient(reduceSum(add(multiply(values, values), cast(indices, 'float64'))), x);
    },
    { x: double(4) },
  );
  verifyGraph(graph);
  expect(Array.from(interpret(graph, { x: [3, -1, 7, 2] }).output)).toEqual([6, 0, 14, 0]);
});
