import { describe, expect, test } from 'vitest';
import type { Graph, GraphCall } from '../../src/engine/graph.ts';
import { add, exp, reduceSum, rematerialise, sin } from '../../src/engine/ops.ts';
import { primitiveNamed } from '../../src/engine/primitives/table.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { FlowError } from '../../src/errors.ts';

const sound: Graph = trace(({ a, b }) => ({ sum: add(exp(a), b), total: reduceSum(exp(a)) }), {
  a: tensorType([2, 3]),
  b: tensorType([3]),
});

function withCall(index: number, change: Partial<GraphCall>): Graph {
  return { ...sound, calls: sound.calls.with(index, { ...sound.calls[index], ...change }) };
}

describe('verifyGraph', () => {
  test('accepts what tracing makes', () => {
    verifyGraph(sound);
  });

  const wide = tensorType([2, 4]);
  const faults: readonly [string, Graph, string][] = [
    [
      'two inputs of one value',
      { ...sound, inputs: [sound.inputs[0], { name: 'c', value: 0 }] },
      'every value to be defined once; got %0 again by input `c`',
    ],
    [
      'an input without a value',
      { ...sound, inputs: [...sound.inputs, { name: 'c', value: 9 }] },
      'input `c` to define a value with a type; got %9',
    ],
    ['equal names of inputs', { ...sound, inputs: sound.inputs.map((port) => ({ ...port, name: 'a' })) }, '`a` twice'],
    [
      'equal names of outputs',
      { ...sound, outputs: sound.outputs.map((port) => ({ ...port, name: 's' })) },
      '`s` twice',
    ],
    ['a cycle', withCall(0, { inputs: [3] }), 'operands of call 0 (exp) to be defined before it; got %3'],
    ['an operand that nothing defines', withCall(1, { inputs: [2, 7] }), 'defined before it; got %7'],
    [
      'a value of another type than its primitive gives',
      { ...sound, values: sound.values.with(3, wide) },
      '%3 of call 1 (add) to be f32[2,3]; got f32[2,4]',
    ],
    [
      'a value of another dtype',
      { ...sound, values: sound.values.with(2, tensorType([2, 3], 'float64')) },
      '%2 of call 0 (exp) to be f32[2,3]; got f64[2,3]',
    ],
    ['a call with too few results', withCall(0, { outputs: [] }), 'call 0 (exp) to have 1 outputs; got 0'],
    [
      'a value defined twice',
      withCall(1, { outputs: [2] }),
      'every value to be defined once; got %2 again by call 1 (add)',
    ],
    ['values out of order', withCall(0, { outputs: [3] }), 'values in order: %2 by call 0 (exp); got %3'],
    ['a value that nothing defines', { ...sound, values: [...sound.values, wide] }, '6 values to be defined; got 5'],
    [
      'an output that nothing defines',
      { ...sound, outputs: [...sound.outputs, { name: 'more', value: 9 }] },
      'output `more` to be defined; got %9',
    ],
    ['a dead end', { ...sound, outputs: [sound.outputs[0]] }, 'got call 2 (reduceSum), a dead end'],
    [
      'operands that the primitive refuses',
      withCall(0, { primitive: primitiveNamed('not') }),
      'a dtype among bool; got f32[2,3]',
    ],
  ];
  test.each(faults)('finds %s', (_what, graph, message) => {
    expect(() => verifyGraph(graph)).toThrow(FlowError);
    expect(() => verifyGraph(graph)).toThrow(message);
  });

  test('looks into bodies', () => {
    const graph = trace(({ x }) => rematerialise((y) => sin(exp(y)), [x]), { x: tensorType([2]) });
    verifyGraph(graph);
    const body = graph.calls[0].attributes.body as Graph;
    const broken = { ...body, values: body.values.with(1, tensorType([3])) };
    const outer = { ...graph, calls: [{ ...graph.calls[0], attributes: { body: broken } }] };
    expect(() => verifyGraph(outer)).toThrow('%1 of call 0 (exp) to be f32[2]; got f32[3]');
  });
});
