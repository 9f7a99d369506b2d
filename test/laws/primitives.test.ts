/** Laws that every primitive obeys, on the calls that it declares as examples. */
import { afterAll, describe, expect, test } from 'vitest';
import { dtypeFacts, type HostArray } from '../../src/engine/dtype.ts';
import { gradient, vectorJacobianProduct } from '../../src/engine/gradient.ts';
import { closeGraph, type Graph } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { add, cast, multiply, reduceSum } from '../../src/engine/ops.ts';
import type { Example, Primitive } from '../../src/engine/primitive.ts';
import { primitives } from '../../src/engine/primitives/table.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { applyPrimitive, elementsOf, placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { type DrawnInput, drawInputs, uniforms } from '../engine/examples.ts';
import { executeGraph } from '../engine/execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

/** Operators without a float64 kernel on CPU: their derivatives are checked by the reference alone. */
const float32Only = new Set(['erf', 'gelu', 'geluTanh']);

/** Operators without a float16 kernel on CPU; mixed precision leaves them in float32. */
const never16 = new Set(['scatterAdd', 'scatterAlong']);

interface Case {
  readonly primitive: Primitive;
  readonly example: Example;
  readonly label: string;
}

const cases: Case[] = primitives.flatMap((primitive) =>
  primitive.examples.map((example, index) => ({ primitive, example, label: `${primitive.name} #${index}` })),
);

function traced({ primitive, example }: Case, drawn: readonly DrawnInput[]) {
  const inputs = drawn.map(({ type }) => placeholder(type));
  const outputs = applyPrimitive(primitive, inputs, example.attributes);
  const graph = closeGraph(
    inputs.map((tensor, i) => [`x${i}`, tensor]),
    outputs.map((tensor, i) => [`y${i}`, tensor]),
  );
  return { inputs, outputs, graph };
}

function named(drawn: readonly DrawnInput[]): Record<string, HostArray> {
  return Object.fromEntries(drawn.map(({ array }, i) => [`x${i}`, array]));
}

function expectClose(actual: HostArray, wanted: Float64Array, tolerance: number, label: string) {
  const scale = wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) worst = Math.max(worst, Math.abs(Number(actual[i]) - wanted[i]));
  expect(worst / scale, label).toBeLessThanOrEqual(tolerance);
  expect(actual.length, label).toBe(wanted.length);
}

/** A scalar that weights every float output's elements by fixed random numbers. */
function weightedSum(
  outputs: readonly Tensor[],
  seed: number,
): { readonly scalar: Tensor; readonly weights: Tensor[]; readonly arrays: HostArray[] } {
  const next = uniforms(seed);
  const floats = outputs.filter(({ dtype }) => dtypeFacts[dtype].isFloat);
  const weights = floats.map(placeholder);
  const arrays = floats.map(({ dtype, shape }) =>
    elementsOf(
      dtype,
      Array.from({ length: elementCount(shape) }, () => Math.fround(2 * next() - 1)),
    ),
  );
  const scalar = floats.map((output, i) => reduceSum(multiply(output, weights[i]))).reduce((a, b) => add(a, b));
  return { scalar, weights, arrays };
}

const STEP = 1e-5;

/** Largest difference between the gradient and central differences of `value`, relative to the gradient's size. */
function gradientError(value: Graph, derivative: Graph, inputs: Record<string, HostArray>, of: string): number {
  const exact = interpret(derivative, inputs).gradient;
  const values = Float64Array.from(inputs[of] as ArrayLike<number>);
  const scale = exact.reduce((largest, g) => Math.max(largest, Math.abs(g)), 1);
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const shifted = (shift: number) =>
      interpret(value, { ...inputs, [of]: values.with(i, values[i] + shift) }).value[0];
    worst = Math.max(worst, Math.abs((shifted(STEP) - shifted(-STEP)) / (2 * STEP) - exact[i]));
  }
  return worst / scale;
}

function differentiable({ primitive, example }: Case): boolean {
  const { outputs } = traced(
    { primitive, example, label: '' },
    drawInputs(example.inputs, { seed: 1, float: 'float64' }),
  );
  const floats = example.inputs.some(({ dtype = 'float' }) => dtype === 'float');
  const castsToWhole = primitive.name === 'cast' && !dtypeFacts[outputs[0].dtype].isFloat;
  return floats && outputs.some(({ dtype }) => dtypeFacts[dtype].isFloat) && !castsToWhole;
}

describe('every primitive', () => {
  test('has a name of its own and, unless it steers differentiation, examples', () => {
    expect(new Set(primitives.map(({ name }) => name)).size).toBe(primitives.length);
    const bare = primitives.filter(({ examples }) => examples.length === 0).map(({ name }) => name);
    expect(bare.sort()).toEqual(['rematerialise', 'stopGradient']);
  });

  test.each(cases)('$label equals its float64 reference in ONNX Runtime', async (one) => {
    for (const float of float32Only.has(one.primitive.name)
      ? (['float32'] as const)
      : (['float32', 'float64'] as const)) {
      const drawn = drawInputs(one.example.inputs, { seed: 7, float });
      const { graph } = traced(one, drawn);
      verifyGraph(graph);
      const wanted = interpret(graph, named(drawn));
      const actual = await executeGraph(runtime, graph, named(drawn));
      for (const name of Object.keys(wanted))
        expectClose(actual[name], wanted[name], float === 'float32' ? 2e-6 : 1e-12, `${one.label} ${float} ${name}`);
    }
  });

  const halved = cases.filter(
    ({ primitive, example }) =>
      !never16.has(primitive.name) && example.inputs.some(({ dtype = 'float' }) => dtype === 'float'),
  );
  test.each(halved)('$label in float16 equals its reference to a unit in the last place', async (one) => {
    const drawn = drawInputs(one.example.inputs, { seed: 7, float: 'float32' });
    const inputs = drawn.map(({ type }) => placeholder(type));
    const operands = inputs.map((x) => (x.dtype === 'float32' ? cast(x, 'float16') : x));
    const outputs = applyPrimitive(one.primitive, operands, one.example.attributes);
    const graph = closeGraph(
      inputs.map((tensor, i) => [`x${i}`, tensor]),
      outputs.map((tensor, i) => [`y${i}`, tensor.dtype === 'float16' ? cast(tensor, 'float32') : tensor]),
    );
    verifyGraph(graph);
    const wanted = interpret(graph, named(drawn));
    const actual = await executeGraph(runtime, graph, named(drawn));
    for (const name of Object.keys(wanted)) expectClose(actual[name], wanted[name], 2 ** -10, `${one.label} ${name}`);
  });

  test.each(cases.filter(differentiable))('$label has the gradient that central differences give', (one) => {
    const drawn = drawInputs(one.example.inputs, { seed: 11, float: 'float64' });
    const { inputs, outputs } = traced(one, drawn);
    const { scalar, weights, arrays } = weightedSum(outputs, 5);
    const ports = [
      ...inputs.map((tensor, i) => [`x${i}`, tensor] as const),
      ...weights.map((tensor, i) => [`w${i}`, tensor] as const),
    ];
    const values = { ...named(drawn), ...Object.fromEntries(arrays.map((array, i) => [`w${i}`, array])) };
    for (const [i, input] of inputs.entries()) {
      if (!dtypeFacts[input.dtype].isFloat) continue;
      const value = closeGraph(ports, [['value', scalar]]);
      const derivative = closeGraph(ports, [['gradient', gradient(scalar, input)]]);
      verifyGraph(derivative);
      expect(gradientError(value, derivative, values, `x${i}`), `input ${i}`).toBeLessThan(1e-7);
    }
  });

  test.each(cases.filter(differentiable))(
    '$label has the second derivative that central differences of its gradient give',
    (one) => {
      const drawn = drawInputs(one.example.inputs, { seed: 13, float: 'float64' });
      const { inputs, outputs } = traced(one, drawn);
      const { scalar, weights, arrays } = weightedSum(outputs, 5);
      const floats = inputs.filter(({ dtype }) => dtypeFacts[dtype].isFloat);
      const first = gradient(scalar, floats);
      const second = weightedSum(first, 17);
      const ports = [
        ...inputs.map((tensor, i) => [`x${i}`, tensor] as const),
        ...weights.map((tensor, i) => [`w${i}`, tensor] as const),
        ...second.weights.map((tensor, i) => [`u${i}`, tensor] as const),
      ];
      const values = {
        ...named(drawn),
        ...Object.fromEntries(arrays.map((array, i) => [`w${i}`, array])),
        ...Object.fromEntries(second.arrays.map((array, i) => [`u${i}`, array])),
      };
      for (const [i, input] of inputs.entries()) {
        if (!dtypeFacts[input.dtype].isFloat) continue;
        const value = closeGraph(ports, [['value', second.scalar]]);
        const derivative = closeGraph(ports, [
          ['gradient', vectorJacobianProduct([second.scalar], [input], [elementOne(second.scalar)])[0]],
        ]);
        expect(gradientError(value, derivative, values, `x${i}`), `input ${i}`).toBeLessThan(1e-6);
      }
    },
  );

  const refusals = primitives.flatMap((primitive) =>
    primitive.counterexamples.map((counterexample, index) => ({
      primitive,
      counterexample,
      label: `${primitive.name} #${index}`,
    })),
  );
  test.each(refusals)('$label is refused with a message that says why', ({ primitive, counterexample }) => {
    const inputs = counterexample.inputs.map(placeholder);
    expect(() => applyPrimitive(primitive, inputs, counterexample.attributes)).toThrow(counterexample.message);
    expect(() => applyPrimitive(primitive, inputs, counterexample.attributes)).toThrow(
      /^Expected .*; got .*\. In engine/,
    );
  });
});

function elementOne({ dtype }: Tensor): Tensor {
  return applyPrimitive(primitives.find(({ name }) => name === 'constant')!, [], {
    dtype,
    shape: [],
    elements: elementsOf(dtype, [1]),
  })[0];
}
