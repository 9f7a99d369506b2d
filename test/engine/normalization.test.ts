import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { groupNorm, layerNorm, rmsNorm } from '../../src/engine/ops.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { ShapeError } from '../../src/errors.ts';
import { drawGraphInputs, relativeError } from './execute-graph.ts';

const double = (...shape: number[]) => tensorType(shape, 'float64');

interface Affine {
  readonly scale?: readonly number[];
  readonly bias?: readonly number[];
}

/** (x - centre) / sqrt(mean((x - centre)^2) + epsilon) over a list, with the mean or 0 as the centre. */
function normalized(values: readonly number[], epsilon: number, centred: boolean): number[] {
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const centre = centred ? mean(values) : 0;
  const moment = mean(values.map((x) => (x - centre) ** 2));
  return values.map((x) => (x - centre) / Math.sqrt(moment + epsilon));
}

function affine(values: readonly number[], { scale, bias }: Affine, feature: (index: number) => number): number[] {
  return values.map((x, i) => x * (scale?.[feature(i)] ?? 1) + (bias?.[feature(i)] ?? 0));
}

describe.each([
  ['layerNorm', layerNorm, true],
  ['rmsNorm', rmsNorm, false],
] as const)('%s', (_name, norm, centred) => {
  const types = { x: double(2, 3, 5), scale: double(5), bias: double(5) };
  test.each([1e-5, 0.1])('is its formula over the last axis, epsilon %d', (epsilon) => {
    const graph = trace(({ x, scale, bias }) => norm(x, { scale, bias, epsilon }), types);
    const inputs = drawGraphInputs(graph, { low: -3, high: 5 });
    const [x, scale, bias] = ['x', 'scale', 'bias'].map((name) => Array.from(inputs[name] as Float64Array));
    const rows = Array.from({ length: 6 }, (_, row) => normalized(x.slice(5 * row, 5 * row + 5), epsilon, centred));
    const wanted = affine(rows.flat(), { scale, bias }, (i) => i % 5);
    expect(relativeError(interpret(graph, inputs).output, wanted)).toBeLessThan(1e-13);
  });

  test('does without factor and offset, or with one of them', () => {
    for (const use of [{}, { scale: true }, { bias: true }] as const) {
      const pick = (given: { readonly scale: Tensor; readonly bias: Tensor }) => ({
        scale: 'scale' in use ? given.scale : null,
        ...('bias' in use ? { bias: given.bias } : {}),
      });
      const graph = trace((inputs) => norm(inputs.x, pick(inputs)), types);
      const inputs = drawGraphInputs(graph);
      const read = (name: string) => Array.from(inputs[name] as Float64Array);
      const rows = Array.from({ length: 6 }, (_, row) =>
        normalized(read('x').slice(5 * row, 5 * row + 5), 1e-5, centred),
      );
      const given = { ...('scale' in use && { scale: read('scale') }), ...('bias' in use && { bias: read('bias') }) };
      const wanted = affine(rows.flat(), given, (i) => i % 5);
      expect(relativeError(interpret(graph, inputs).output, wanted)).toBeLessThan(1e-13);
    }
  });

  test('refuses factors of another shape, which would broadcast', () => {
    const x = placeholder(double(3, 5));
    for (const shape of [[1], [3, 5], [3]]) {
      expect(() => norm(x, { scale: placeholder(double(...shape)) })).toThrow('[features] = [5]');
    }
    expect(() => norm(x, { bias: placeholder(double()) })).toThrow(ShapeError);
  });
});

describe('groupNorm', () => {
  test.each([
    [1, [2, 6, 3, 2]],
    [2, [2, 6, 3, 2]],
    [6, [2, 6, 3, 2]],
    [3, [2, 6]],
    [2, [1, 4, 5]],
  ] as const)('with %i groups is its formula on %j', (groups, shape) => {
    const [batch, channels, ...positions] = shape;
    const types = { x: double(...shape), scale: double(channels), bias: double(channels) };
    const graph = trace(({ x, scale, bias }) => groupNorm(x, groups, { scale, bias, epsilon: 1e-3 }), types);
    const inputs = drawGraphInputs(graph, { low: -3, high: 5 });
    const read = (name: string) => Array.from(inputs[name] as Float64Array);
    const area = positions.reduce((a, b) => a * b, 1);
    const size = (channels / groups) * area;
    const parts = Array.from({ length: batch * groups }, (_, i) =>
      normalized(read('x').slice(size * i, size * (i + 1)), 1e-3, true),
    );
    const wanted = affine(
      parts.flat(),
      { scale: read('scale'), bias: read('bias') },
      (i) => Math.floor(i / area) % channels,
    );
    expect(relativeError(interpret(graph, inputs).output, wanted)).toBeLessThan(1e-13);
  });

  test('refuses groups that do not divide the channels, and factors of another shape', () => {
    const x = placeholder(double(2, 6, 4));
    expect(() => groupNorm(x, 4)).toThrow('`groups` to divide 6 channels; got 4 for [2, 6, 4]');
    expect(() => groupNorm(x, 0)).toThrow(ShapeError);
    expect(() => groupNorm(x, 2, { scale: placeholder(double(2)) })).toThrow(
      '[channels] = [6] or [batch, channels]; got [1, 2]',
    );
  });
});
