import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dtypeFacts } from '../../src/engine/dtype.ts';
import { vectorJacobianProduct } from '../../src/engine/gradient.ts';
import { closeGraph, type Graph } from '../../src/engine/graph.ts';
import { hashGraph, parseGraph, printGraph } from '../../src/engine/graph-text.ts';
import { constantTensor, exp, multiply, onesLike, reduceSum, rematerialise, sin } from '../../src/engine/ops.ts';
import type { Example, Primitive } from '../../src/engine/primitive.ts';
import { primitiveNamed, primitives } from '../../src/engine/primitives/table.ts';
import { applyPrimitive, placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { FlowError } from '../../src/errors.ts';
import { exampleDtype } from './examples.ts';

function expectRoundTrip(graph: Graph): Graph {
  const text = printGraph(graph);
  const parsed = parseGraph(text, primitiveNamed);
  verifyGraph(parsed);
  expect(parsed).toStrictEqual({ ...graph, values: graph.values.map(({ dtype, shape }) => ({ dtype, shape })) });
  expect(printGraph(parsed)).toBe(text);
  expect(hashGraph(parsed)).toBe(hashGraph(graph));
  return parsed;
}

/** The example's outputs, and their vector-Jacobian products with ones. */
function exampleGraph(primitive: Primitive, { inputs, attributes }: Example): Graph {
  const sources = inputs.map((input) => placeholder({ dtype: exampleDtype(input, 'float32'), shape: input.shape }));
  const isFloat = ({ dtype }: Tensor) => dtypeFacts[dtype].isFloat;
  const outputs = applyPrimitive(primitive, sources, attributes);
  const floats = outputs.filter(isFloat);
  const products = vectorJacobianProduct(floats, sources.filter(isFloat), floats.map(onesLike));
  return closeGraph(
    sources.map((x, i) => [`x${i}`, x]),
    [...outputs, ...products].map((y, i) => [`y${i}`, y]),
  );
}

const cases = primitives.flatMap((primitive) =>
  primitive.examples.map((example, i) => ({ primitive, example, label: `${primitive.name} #${i}` })),
);

describe('a printed graph is read back equal', () => {
  test.each(cases)('with $label and its gradient', ({ primitive, example }) => {
    expectRoundTrip(exampleGraph(primitive, example));
  });

  test('with bodies within bodies', () => {
    const deep = (x: Tensor) => rematerialise((a) => rematerialise((b) => sin(multiply(exp(b), 0.25)), [a]), [x])[0];
    const graph = trace(
      ({ x }) => {
        const y = deep(x);
        return { y, dx: vectorJacobianProduct([y], [x], [onesLike(y)])[0] };
      },
      { x: tensorType([2, 3]) },
    );
    expectRoundTrip(graph);
    expect(printGraph(graph)).toContain('$graph');
  });

  test('with any constants: short and long, NaN, infinities, both zeros', () => {
    const values = fc.array(fc.double(), { minLength: 0, maxLength: 12 });
    fc.assert(
      fc.property(values, fc.constantFrom('float32', 'float64'), (list, dtype) => {
        const graph = trace(() => ({ c: constantTensor(list, [list.length], dtype) }), {});
        const { elements } = expectRoundTrip(graph).calls[0].attributes as { readonly elements: Float64Array };
        expect(elements.every((x, i) => Object.is(x, dtype === 'float32' ? Math.fround(list[i]) : list[i]))).toBe(true);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  test('with int64 constants that no double holds', () => {
    const elements = BigInt64Array.of(2n ** 62n + 1n, -1n);
    const make = () => applyPrimitive(primitiveNamed('constant'), [], { dtype: 'int64', shape: [2], elements })[0];
    expectRoundTrip(trace(() => make(), {}));
  });

  test('with NaN and infinity as attributes, alone and in lists', () => {
    const attributes = { alpha: -Infinity, list: [NaN, Infinity, -0, 1], nested: { text: '$number', yes: true } };
    const graph = trace(({ x }) => applyPrimitive(primitiveNamed('leakyRelu'), [x], attributes)[0], {
      x: tensorType([2]),
    });
    expect(expectRoundTrip(graph).calls[0].attributes).toStrictEqual(attributes);
  });

  test('with names that need quoting', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1 }), { minLength: 1, maxLength: 4 }),
        (names) => {
          const x = placeholder(tensorType([]));
          expectRoundTrip(
            closeGraph(
              names.map((name) => [name, placeholder(tensorType([]))]),
              [],
            ),
          );
          expectRoundTrip(
            closeGraph(
              [['x', x]],
              names.map((name) => [name, x]),
            ),
          );
        },
      ),
      { seed: 6, numRuns: 20 },
    );
  });
});

describe('the hash', () => {
  const scaled = (last: number) =>
    trace(({ x }) => multiply(x, constantTensor([...new Array<number>(99).fill(1), last], [100])), {
      x: tensorType([100]),
    });

  test('tells graphs apart by any element of a long constant', () => {
    expect(hashGraph(scaled(1))).toBe(hashGraph(scaled(1)));
    expect(hashGraph(scaled(1))).not.toBe(hashGraph(scaled(2)));
  });
});

describe('text of another form is refused', () => {
  const text = printGraph(
    trace(({ x }) => ({ y: reduceSum(multiply(rematerialise((a) => sin(a), [x])[0], 0.1)) }), { x: tensorType([2]) }),
  );
  const lines = text.split('\n');
  const replaced = (index: number, line: string) => lines.with(index, line).join('\n');
  const parse = (source: string) => () => parseGraph(source, primitiveNamed);

  test.each([
    ['an empty text', '', 'line 1'],
    ['an unknown line', replaced(0, 'input x: f32[2]'), 'a line that defines an input, a call or an output'],
    ['an unknown dtype', replaced(0, 'input "x" = %0: bf16[2]'), 'a type such as f32[2,3]; got bf16[2]'],
    ['a size that is no number', replaced(0, 'input "x" = %0: f32[2,]'), 'got f32[2,]'],
    ['values out of order', replaced(0, 'input "x" = %1: f32[2]'), 'a definition of %0; got %1: f32[2]'],
    ['a huge index', replaced(0, 'input "x" = %4294967294: f32[2]'), 'line 1'],
    ['an unknown primitive', replaced(4, '%4: f32[] = hack(%3)'), 'the name of a primitive; got `hack`'],
    ['an operand that is not defined', replaced(4, '%4: f32[] = reduceSum(%9) {"axes":[0]}'), 'got %9'],
    ['an operand that is no value', replaced(4, '%4: f32[] = reduceSum(3) {"axes":[0]}'), 'line 5'],
    ['a wrong result type', replaced(4, '%4: f32[3] = reduceSum(%3) {"axes":[0],"keepDims":false}'), 'results f32[]'],
    ['a missing attribute', replaced(4, '%4: f32[] = reduceSum(%3)'), 'line 5'],
    ['attributes that are not JSON', replaced(4, '%4: f32[] = reduceSum(%3) {axes}'), 'line 5'],
    ['an output that is not defined', `${text}\noutput "z" = %77`, 'a value defined above; got %77'],
    ['an output with something behind it', `${text}\noutput "z" = %4 `, 'line 7'],
    ['an output twice', `${text}\noutput "y" = %4`, '"y" twice'],
    ['a broken body', text.replace('= sin(', '= sinus('), 'the name of a primitive; got `sinus`'],
    ['a number of another kind', replaced(2, constantLine('{"$number":"ten"}')), 'got ten'],
    ['an array of another kind', replaced(2, constantLine('{"$array":"float16","data":[1]}')), 'got float16'],
    ['an array without data', replaced(2, constantLine('{"$array":"float32"}')), 'numbers or base64'],
    ['an array of texts', replaced(2, constantLine('{"$array":"float32","data":["1"]}')), 'numbers or base64'],
    ['half an element', replaced(2, constantLine('{"$array":"float32","data":"AAA="}')), '2 bytes'],
    ['a depth of a hundred thousand', replaced(2, constantLine('['.repeat(1e5))), 'line 3'],
  ])('%s', (_what, source, message) => {
    expect(parse(source)).toThrow(FlowError);
    expect(parse(source)).toThrow(message);
  });

  test('also after any small change', () => {
    const positions = fc.nat(text.length - 1);
    fc.assert(
      fc.property(positions, fc.constantFrom('', '%', '9', '"', '{', ',', '[', '\n', ' '), (at, instead) => {
        const changed = text.slice(0, at) + instead + text.slice(at + 1);
        try {
          // What is still of the format must be a graph whose text it is.
          expect(printGraph(parseGraph(changed, primitiveNamed)).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(FlowError);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

function constantLine(elements: string): string {
  return `%2: f32[] = constant() {"dtype":"float32","shape":[],"elements":${elements}}`;
}
