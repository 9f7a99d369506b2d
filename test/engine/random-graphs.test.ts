/** Composes random graphs of primitives and checks what must hold for every graph. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { closeGraph, expandGraph, type Graph, inlineGraph, type NamedTensor } from '../../src/engine/graph.ts';
import { hashGraph, parseGraph, printGraph } from '../../src/engine/graph-text.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import * as o from '../../src/engine/ops.ts';
import { primitiveNamed } from '../../src/engine/primitives/table.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { centralDifference, drawGraphInputs, executeGraph, relativeError } from './execute-graph.ts';

let runtime: NativeRuntime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());

/** Chooses a whole number in [0, below). */
type Choose = (below: number) => number;

/** What may happen to a tensor; `other` draws another tensor of the graph. Results stay moderate, so that differences are exact. */
type Move = (x: Tensor, choose: Choose, other: () => Tensor) => Tensor;

const some = <T>(list: readonly T[], choose: Choose): T => list[choose(list.length)];
const axisOf = ({ shape }: Tensor, choose: Choose) => choose(shape.length);
/** In (-1, 1), without kinks. */
const tame = (x: Tensor) => o.tanh(o.multiply(x, 0.5));
/** In (0.5, 1.5). */
const positive = (x: Tensor) => o.add(o.sigmoid(x), 0.5);

/** y stretched or summed until it broadcasts with x. */
function fitting(x: Tensor, y: Tensor): Tensor {
  const parts = o.reshape(y, [-1]);
  const width = x.shape[x.shape.length - 1];
  if (parts.shape[0] >= width) return o.sliceAxis(parts, 0, 0, width);
  return o.reduceMean(y);
}

const moves: Readonly<Record<string, Move>> = {
  function: (x, choose) => some([o.sin, o.cos, o.tanh, o.sigmoid, o.silu, o.softplus, o.negate], choose)(x),
  positiveFunction: (x, choose) => some([o.exp, o.log, o.sqrt, o.reciprocal], choose)(positive(x)),
  binary: (x, choose, other) => some([o.add, o.subtract, o.multiply], choose)(x, fitting(x, tame(other()))),
  divide: (x, _choose, other) => o.divide(x, positive(fitting(x, other()))),
  pow: (x, _choose, other) => o.pow(positive(x), fitting(x, tame(other()))),
  number: (x, choose) => o.add(o.multiply(x, some([0, 1, -0.5], choose)), some([0, 1, -2], choose)),
  reduce: (x, choose) => {
    const options = { axes: [axisOf(x, choose) - (choose(2) === 0 ? x.shape.length : 0)], keepDims: choose(2) === 0 };
    return some([o.reduceSum, o.reduceMean, o.logSumExp], choose)(x, options);
  },
  softmax: (x, choose) => some([o.softmax, o.logSoftmax], choose)(x, axisOf(x, choose)),
  normalise: (x, choose) => some([o.layerNorm, o.rmsNorm], choose)(x, { epsilon: 0.1 }),
  reshape: (x, choose) => o.reshape(x, some([[-1], [1, -1], [...x.shape, 1], [x.shape[0], -1]], choose)),
  transpose: (x, choose) => o.transpose(x, choose(2) === 0 ? undefined : x.shape.map((_, axis) => axis).reverse()),
  broadcast: (x) => (elementCount(x.shape) > 12 ? x : o.broadcastTo(x, [2, ...x.shape])),
  concat: (x, choose) => o.concat([x, tame(x)], axisOf(x, choose)),
  stack: (x, choose) => o.stack([x, o.sin(x)], choose(x.shape.length + 1)),
  slice: (x, choose) => {
    const axis = axisOf(x, choose);
    return o.slice(x, { [axis]: { start: choose(x.shape[axis]), step: 1 + choose(2) } });
  },
  pad: (x, choose) => {
    const counts = () => x.shape.map(() => choose(2));
    return o.pad(x, { before: counts(), after: counts(), between: counts() });
  },
  matmul: (x, choose, other) => {
    const matrix = x.shape.length < 2 ? o.reshape(x, [1, -1]) : x;
    if (choose(2) === 0) return o.matmul(matrix, tame(matrix), { transposeB: true, alpha: 0.5 });
    const width = matrix.shape[matrix.shape.length - 1];
    return o.matmul(matrix, o.broadcastTo(o.reduceMean(tame(other())), [width, 2]));
  },
  gather: (x, choose) => {
    const axis = axisOf(x, choose);
    const indices = [0, 1, 2].map(() => choose(x.shape[axis]));
    return o.gather(x, o.constantTensor(indices, [3], some(['int32', 'int64'], choose)), axis);
  },
  scatter: (x, choose) => {
    const size = 3;
    const indices = Array.from({ length: x.shape[0] }, () => choose(size));
    return o.scatterAdd(x, o.constantTensor(indices, [x.shape[0]], 'int64'), { size });
  },
  select: (x, choose) => {
    const pattern = Array.from({ length: x.shape[x.shape.length - 1] }, () => choose(2));
    return o.select(o.constantTensor(pattern, [pattern.length], 'bool'), x, tame(x));
  },
  rematerialise: (x, _choose, other) => {
    const captured = other();
    return o.rematerialise((y) => o.add(o.sin(y), o.reduceMean(tame(captured))), [x])[0];
  },
  derivative: (x) => gradient(o.reduceSum(o.sin(o.multiply(x, x))), x),
};

interface RandomGraph {
  readonly inputs: readonly Tensor[];
  readonly loss: Tensor;
  readonly ports: readonly NamedTensor[];
}

const MOST_ELEMENTS = 64;

/** Applies the moves, each to a tensor made so far, and adds up the means of the last few results. */
function compose(
  steps: readonly (readonly [name: string, choices: readonly number[]])[],
  dtype: 'float32' | 'float64' = 'float64',
): RandomGraph {
  const inputs = [[2, 3], [4], [2, 1, 3]].map((shape) => placeholder(tensorType(shape, dtype)));
  const made: Tensor[] = [...inputs];
  for (const [name, choices] of steps) {
    let next = 0;
    const choose: Choose = (below) => choices[next++ % choices.length] % below;
    const pick = () => made[made.length - 1 - choose(Math.min(4, made.length))];
    const source = pick();
    const x = source.shape.length === 0 ? o.reshape(source, [1]) : source;
    const result = moves[name](x, choose, pick);
    const size = elementCount(result.shape);
    if (size > 0 && size <= MOST_ELEMENTS && result.shape.length <= 5) made.push(result);
  }
  const loss = made.slice(-3).map((x) => o.reduceMean(tame(x)));
  return {
    inputs,
    loss: loss.reduce((a, b) => o.add(a, b)),
    ports: inputs.map((tensor, i) => [`x${i}`, tensor]),
  };
}

const step = fc.tuple(fc.constantFrom(...Object.keys(moves)), fc.array(fc.nat(11), { minLength: 8, maxLength: 8 }));
const randomGraph = fc.array(step, { minLength: 1, maxLength: 12 });

function lossAndGradient({ ports, loss, inputs }: RandomGraph): Graph {
  const parts = gradient(loss, inputs).map((part, i) => [`g${i}`, part] as const);
  return closeGraph(ports, [['loss', loss], ...parts]);
}

const settings = { seed: 20, numRuns: 60 };

describe('a random graph and its gradient', () => {
  test('are well-formed, survive printing, and are the graphs of their own function', () => {
    fc.assert(
      fc.property(randomGraph, (steps) => {
        const random = compose(steps);
        const graph = lossAndGradient(random);
        verifyGraph(graph);
        verifyGraph(expandGraph(graph));
        const text = printGraph(graph);
        const parsed = parseGraph(text, primitiveNamed);
        expect(printGraph(parsed)).toBe(text);
        const again = inlineGraph(parsed, Object.fromEntries(random.ports));
        expect(hashGraph(closeGraph(random.ports, Object.entries(again)))).toBe(hashGraph(graph));
      }),
      settings,
    );
  });

  // float64 for exactness; float32 because there ONNX Runtime fuses operators.
  test.each([
    ['float64', 1e-10],
    ['float32', 1e-3],
  ] as const)('have in ONNX Runtime in %s the values of the references', async (dtype, tolerance) => {
    await fc.assert(
      fc.asyncProperty(randomGraph, async (steps) => {
        const graph = lossAndGradient(compose(steps, dtype));
        const inputs = drawGraphInputs(graph, { seed: steps.length });
        const wanted = interpret(graph, inputs);
        const actual = await executeGraph(runtime, graph, inputs);
        for (const [name, values] of Object.entries(wanted))
          expect(relativeError(actual[name], values), name).toBeLessThan(tolerance);
      }),
      settings,
    );
  });

  test('agree: the gradient along a direction is the central difference of the value', () => {
    fc.assert(
      fc.property(randomGraph, (steps) => {
        const random = compose(steps);
        const graph = lossAndGradient(random);
        const inputs = drawGraphInputs(graph, { seed: steps.length });
        const directions = drawGraphInputs(graph, { seed: 99 });
        const results = interpret(graph, inputs);
        const along = random.ports.map(([name], i) =>
          results[`g${i}`].reduce((sum, g, j) => sum + g * Number(directions[name][j]), 0),
        );
        const value = closeGraph(random.ports, [['loss', random.loss]]);
        const wanted = centralDifference(value, { inputs, directions });
        expect(relativeError([along.reduce((a, b) => a + b)], wanted)).toBeLessThan(1e-6);
      }),
      settings,
    );
  });
});
