/** Whole networks, exported by PyTorch: their values and gradients, against PyTorch's own in float64. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { gradient } from '../../../src/engine/gradient.ts';
import { closeGraph, type Graph, type NamedTensor } from '../../../src/engine/graph.ts';
import { interpret } from '../../../src/engine/interpreter.ts';
import { openNativeRuntime } from '../../../src/engine/native/native-runtime.ts';
import { importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { multiply, reduceSum } from '../../../src/engine/ops.ts';
import { elementCount, type Shape } from '../../../src/engine/shape.ts';
import { placeholder } from '../../../src/engine/tensor.ts';
import { tensorType, trace } from '../../../src/engine/trace.ts';
import { verifyGraph } from '../../../src/engine/verify.ts';
import { executeGraph, relativeError } from '../execute-graph.ts';

interface GoldenNetwork {
  readonly name: string;
  readonly opset: number;
  readonly shape: readonly number[];
  readonly result: readonly number[];
  /** Gradients of sum(result * wave). */
  readonly byImage: readonly number[];
  readonly weight: string;
  readonly byWeight: readonly number[];
}

const folder = fileURLToPath(new URL('../../golden/onnx/', import.meta.url));
// The file that scripts/golden/onnx_networks.py writes.
const { cases } = JSON.parse(readFileSync(`${folder}networks.json`, 'utf8')) as { cases: readonly GoldenNetwork[] };
const open = (name: string) => importOnnx(`${folder}${name}.onnx`);

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

const IMAGE = [2, 3, 12, 12];

function wave(shape: Shape, rate: number): Float32Array {
  return Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.cos(rate * (i + 1)));
}

/** The network's result, and the gradients of its product with a wave; parameters are inputs of the graph or constants. */
function differentiated({ name, shape, weight }: GoldenNetwork, trained: boolean): Graph {
  const model = open(name);
  const image = placeholder(tensorType(IMAGE));
  const cotangent = placeholder(tensorType(shape));
  const parameters = trained
    ? Object.fromEntries(Object.entries(model.parameters).map(([key, type]) => [key, placeholder(type)]))
    : {};
  const { result } = model.apply(parameters, { image });
  const scalar = reduceSum(multiply(result, cotangent));
  const outputs: NamedTensor[] = [
    ['result', result],
    ['byImage', gradient(scalar, image)],
  ];
  if (trained && Object.hasOwn(parameters, weight)) outputs.push(['byWeight', gradient(scalar, parameters[weight])]);
  const ports = Object.entries(parameters).map(([key, tensor]) => [`parameters.${key}`, tensor] as const);
  return closeGraph([['image', image], ['cotangent', cotangent], ...ports], outputs);
}

function valuesFor({ name, shape }: GoldenNetwork, trained: boolean) {
  const parameters = Object.entries(open(name).parameters).map(([key, { values }]) => [`parameters.${key}`, values]);
  return {
    image: wave(IMAGE, 0.37),
    cotangent: wave(shape, 0.61),
    ...(trained ? Object.fromEntries(parameters) : {}),
  };
}

describe.each(cases)('$name, opset $opset', (one) => {
  test.each([true, false])('gives the values and gradients of PyTorch, trainable: %s', async (trained) => {
    const graph = differentiated(one, trained);
    verifyGraph(graph);
    const values = valuesFor(one, trained);
    const exact = interpret(graph, values);
    const run = await executeGraph(runtime, graph, values);
    // The image is a float32 wave here and a float64 one there.
    for (const [results, tolerance] of [
      [exact, 3e-6],
      [run, 2e-5],
    ] as const) {
      expect(relativeError(results.result, one.result)).toBeLessThan(tolerance);
      expect(relativeError(results.byImage, one.byImage)).toBeLessThan(tolerance);
      if (results.byWeight) expect(relativeError(results.byWeight, one.byWeight)).toBeLessThan(tolerance);
    }
    expect(graph.outputs.some(({ name }) => name === 'byWeight')).toBe(trained && one.name !== 'inception');
  });

  test('has the gradient by the image that finite differences give', () => {
    const graph = differentiated(one, false);
    const values = valuesFor(one, false);
    const { byImage } = interpret(graph, values);
    const at = (i: number, step: number) => {
      const image = Float64Array.from(values.image);
      image[i] += step;
      const { result } = interpret(graph, { ...values, image });
      return result.reduce((sum, value, j) => sum + value * values.cotangent[j], 0);
    };
    const scale = Math.max(1, ...byImage.map(Math.abs));
    for (const i of [0, 77, 400, 863])
      expect(Math.abs((at(i, 1e-6) - at(i, -1e-6)) / 2e-6 - byImage[i]) / scale).toBeLessThan(1e-6);
  });
});

describe('an imported network', () => {
  test('takes the sizes of open axes from its inputs', () => {
    const model = open('transformer');
    expect(model.inputs).toEqual([
      { name: 'image', dtype: 'float32', elementType: 'float', shape: ['batch', 3, 12, 12] },
    ]);
    for (const batch of [1, 5]) {
      const graph = trace(({ image }) => model.apply({}, { image }), { image: tensorType([batch, 3, 12, 12]) });
      expect(graph.values[graph.outputs[0].value].shape).toEqual([batch, 6]);
    }
  });

  test('can be traced with its parameters as they stand for their types', () => {
    const model = open('resnet');
    const graph = trace(({ parameters, image }) => model.apply(parameters, { image }), {
      parameters: model.parameters,
      image: tensorType(IMAGE),
    });
    const names = graph.inputs.map(({ name }) => name);
    expect(names).toContain('parameters.head.weight');
    expect(names).toContain('parameters.stem.1.weight');
    // Running statistics are not trained.
    expect(names.filter((name) => name.includes('running'))).toEqual([]);
  });

  test('folds the arithmetic on its shapes', () => {
    for (const { name } of cases) {
      const model = open(name);
      const graph = trace(({ image }) => model.apply({}, { image }), { image: tensorType(IMAGE) });
      const whole = graph.calls.filter(({ outputs, primitive }) => {
        const { dtype } = graph.values[outputs[0]];
        return !dtype.startsWith('float') && primitive.name !== 'constant';
      });
      expect(whole.map(({ primitive }) => primitive.name)).toEqual([]);
    }
  });

  test('can be cut at any value between, without what comes after', () => {
    const model = open('resnet');
    const image = placeholder(tensorType(IMAGE));
    const middle = model.values[Math.floor(model.values.length / 2)];
    const cut = model.apply({}, { image }, { outputs: [middle, model.values[0]] });
    expect(Object.keys(cut)).toEqual([middle, model.values[0]]);
    const size = (outputs: Record<string, (typeof cut)[string]>) =>
      closeGraph([['image', image]], Object.entries(outputs)).calls.length;
    expect(size(cut)).toBeLessThan(size(model.apply({}, { image })));
  });
});
