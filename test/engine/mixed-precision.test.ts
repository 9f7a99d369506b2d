import { afterAll, describe, expect, test } from 'vitest';
import { float16Fault } from '../../src/engine/float16-support.ts';
import { gradient } from '../../src/engine/gradient.ts';
import { closeGraph, type Graph, type GraphCall } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { inMixedPrecision } from '../../src/engine/mixed-precision.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { add, divide, layerNorm, matmul, multiply, reduceMean, reduceSum, softmax } from '../../src/engine/ops.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { placeholder, type Tensor } from '../../src/engine/tensor.ts';
import { isTensor, type TensorTree, tensorType } from '../../src/engine/trace.ts';
import { flattenTree } from '../../src/engine/tree.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { dit } from '../../src/models/dit.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { ApplyOptions, Model } from '../../src/models/model.ts';
import { parameterTypes } from '../../src/models/parameters.ts';
import { songUnet } from '../../src/models/song-unet.ts';
import { unet } from '../../src/models/unet.ts';
import { parameterInputs } from '../../src/training/parameter-update.ts';
import { randomInputs, randomParameters } from '../models/model-graphs.ts';
import { executeGraph, type HostArrays } from './execute-graph.ts';

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

const shape = [2, 8, 8] as const;
const models: Readonly<Record<string, Model>> = {
  dit: dit({ shape, patch: 2, depth: 2, width: 16, heads: 2, classes: 3 }),
  unet: unet({
    shape,
    channels: [4, 8],
    blocks: 1,
    attention: [1],
    headChannels: 4,
    groups: 2,
    middle: true,
    skips: 'sum',
    resample: 'pooling',
    classes: 3,
  }),
  'song-unet': songUnet({
    shape,
    channels: 8,
    multipliers: [1, 2],
    blocks: 1,
    attentionResolutions: [4],
    classes: 3,
  }),
};

const BATCH = 3;
/** As much as a loss is scaled, so that float16 gradients are normal numbers. */
const SCALE = 2 ** 7;

interface Choice {
  readonly mixed: boolean;
  readonly apply?: ApplyOptions;
}

/** Prediction `y`, and the gradients of SCALE <prediction, weights> with respect to all parameters. */
function gradientGraph(model: Model, { mixed, apply = {} }: Choice): Graph {
  const { tree, ports } = parameterInputs(parameterTypes(model.parameters), 'p');
  const x = placeholder(tensorType([BATCH, ...model.input.shape]));
  const w = placeholder(x);
  const time = placeholder(tensorType([BATCH]));
  const labels = placeholder(tensorType([BATCH], 'int32'));
  const exact = model.apply(tree, { x, time, labels }, apply);
  const tensors = flattenTree<Tensor>(tree as TensorTree, isTensor).map(([, tensor]) => tensor);
  const y = mixed ? inMixedPrecision([exact], [...tensors, x, time, labels])[0] : exact;
  const gradients = gradient(reduceSum(multiply(multiply(y, w), SCALE)), tensors, {
    recompute: apply.rematerialise === 'cheap',
  });
  const inputs: [string, Tensor][] = [...ports, ['x', x], ['w', w], ['time', time], ['labels', labels]];
  return closeGraph(inputs, [['y', y], ...ports.map(([name], i): [string, Tensor] => [`d${name}`, gradients[i]])]);
}

function norm(values: Iterable<number>): number {
  return Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));
}

type Results = Readonly<Record<string, ArrayLike<number | bigint>>>;

/** All gradients as one vector. */
const gradientsOf = (results: Results) =>
  Object.entries(results).flatMap(([name, values]) => (name === 'y' ? [] : Array.from(values, Number)));

function difference(actual: readonly number[], wanted: readonly number[]): number {
  return norm(actual.map((value, i) => value - wanted[i])) / norm(wanted);
}

describe.each(Object.keys(models))('a %s in mixed precision', (name) => {
  const model = models[name];
  const inputs: HostArrays = { ...randomParameters(model), ...randomInputs(model, BATCH) };
  const mixed = gradientGraph(model, { mixed: true });
  const exact = interpret(gradientGraph(model, { mixed: false }), inputs);

  test('has the prediction and the gradients of float64 to the precision of float16', async () => {
    verifyGraph(mixed);
    const actual = await executeGraph(runtime, mixed, inputs);
    expect(difference(Array.from(actual.y, Number), [...exact.y])).toBeLessThan(2 ** -10);
    expect(difference(gradientsOf(actual), gradientsOf(exact))).toBeLessThan(2 ** -10);
    const whole = norm(gradientsOf(exact));
    for (const [key, wanted] of Object.entries(exact)) {
      if (key === 'y') continue;
      // A tensor by itself; beside the largest where its own gradient nearly vanishes.
      const error = norm(wanted.map((value, i) => Number(actual[key][i]) - value));
      expect(error / Math.max(norm(wanted), whole / 100), key).toBeLessThan(2 ** -8);
    }
    // It differs from float32 as much as float16 makes it.
    expect(difference(gradientsOf(actual), gradientsOf(exact))).toBeGreaterThan(2 ** -15);
  });

  test('has products, activations and norms in float16, statistics and what is told of time in float32', () => {
    const dtypes = (names: readonly string[], values: (call: GraphCall) => readonly number[]) => {
      const calls = mixed.calls.filter(({ primitive }) => names.includes(primitive.name));
      expect(calls.length).toBeGreaterThan(0);
      return [...new Set(calls.flatMap((call) => values(call).map((value) => mixed.values[value].dtype)))];
    };
    const heavy = ['matmul', 'conv2d', 'convTranspose2d', 'convKernelGradient'];
    expect(dtypes(heavy, ({ inputs: read }) => read)).toEqual(['float16']);
    expect(dtypes(['softmax', 'silu', 'geluTanh'], ({ outputs: [y] }) => [y])).toEqual(['float16']);
    const norms = ['standardize', 'groupNorm'];
    expect(dtypes(norms, ({ inputs: [x], outputs: [y] }) => [x, y])).toEqual(['float16']);
    expect(dtypes(norms, ({ outputs: made }) => [made[made.length - 1]])).toEqual(['float32']);
    expect(dtypes(['sin', 'cos'], ({ inputs: read }) => read)).toEqual(['float32']);
  });
});

test.each([
  ['dit', 'cheap'],
  ['dit', 'blocks'],
  ['unet', 'cheap'],
  ['unet', 'blocks'],
] as const)(
  'a %s in mixed precision has the same gradients where %s is computed again',
  async (name, rematerialise) => {
    const model = models[name];
    const inputs: HostArrays = { ...randomParameters(model), ...randomInputs(model, BATCH) };
    const again = gradientGraph(model, { mixed: true, apply: { rematerialise } });
    verifyGraph(again);
    // Gradients are handed on and waited for together, though some are float16 and some float32.
    expect(again.calls.some(({ primitive }) => primitive.name === 'barrier')).toBe(true);
    const kept = await executeGraph(runtime, gradientGraph(model, { mixed: true }), inputs);
    const recomputed = await executeGraph(runtime, again, inputs);
    expect(difference(gradientsOf(recomputed), gradientsOf(kept))).toBeLessThan(2 ** -11);
  },
);

describe('inMixedPrecision', () => {
  const a = placeholder(tensorType([4, 4]));
  const b = placeholder(tensorType([4, 4]));
  const narrow = (x: Tensor) => matmul(x, b);
  const dtypeBefore = (x: Tensor) => x.call?.inputs[0].dtype;

  test('gives tensors of the types of the outputs', () => {
    const outputs = [narrow(a), layerNorm(narrow(a)), reduceMean(narrow(a))];
    const types = inMixedPrecision(outputs, [a, b]).map(({ dtype, shape: of }) => ({ dtype, shape: of }));
    expect(types).toEqual(outputs.map(({ dtype, shape: of }) => ({ dtype, shape: of })));
  });

  test('leaves alone what no product is before', () => {
    const [kept] = inMixedPrecision([softmax(add(a, b))], [a, b]);
    expect(kept.call?.primitive.name).toBe('softmax');
    expect(kept.call?.inputs[0].call?.inputs).toEqual([a, b]);
  });

  test('goes on in float16 after norms and softmax, and not after a division', () => {
    const last = (f: (x: Tensor) => Tensor) => inMixedPrecision([add(f(narrow(a)), 1)], [a, b])[0];
    for (const f of [softmax, layerNorm] as ((x: Tensor) => Tensor)[])
      expect([last(f).call?.primitive.name, dtypeBefore(last(f))]).toEqual(['cast', 'float16']);
    expect(last((x) => divide(x, 3)).call?.primitive.name).toBe('add');
  });

  test('stops at the tensors that are given', () => {
    const given = narrow(a);
    const [y] = inMixedPrecision([matmul(given, b)], [given, b]);
    const graph = closeGraph(
      [
        ['a', a],
        ['b', b],
      ],
      [['y', y]],
    );
    const products = graph.calls.filter(({ primitive }) => primitive.name === 'matmul');
    expect(products.map(({ outputs: [value] }) => graph.values[value].dtype)).toEqual(['float32', 'float16']);
  });

  test('takes an MLP to float16 throughout', () => {
    const model = mlp({ shape: [2], hidden: [8, 8], activation: 'silu', timeFeatures: 4, classes: null });
    const { tree, ports } = parameterInputs(parameterTypes(model.parameters), 'p');
    const [x, time] = [placeholder(tensorType([3, 2])), placeholder(tensorType([3]))];
    const given = [...ports.map(([, tensor]) => tensor), x, time];
    const [y] = inMixedPrecision([model.apply(tree, { x, time, labels: null })], given);
    const graph = closeGraph([...ports, ['x', x], ['time', time]], [['y', y]]);
    const activations = graph.calls.filter(({ primitive }) => primitive.name === 'silu');
    expect(activations.length).toBeGreaterThan(0);
    for (const { outputs } of activations) expect(graph.values[outputs[0]].dtype).toBe('float16');
  });
});

describe('float16Fault', () => {
  test('finds none where float16 works', async () => {
    const before = runtime.liveObjects();
    expect(await float16Fault(runtime)).toBeNull();
    expect(runtime.liveObjects()).toBe(before);
  });

  test('says what ONNX Runtime says', async () => {
    const message = 'Program Cast requires f16 but the device does not support it.';
    const without: Runtime = {
      ...runtime,
      createSession: async (model, options) => ({
        ...(await runtime.createSession(model, options)),
        run: () => Promise.reject(new Error(message)),
      }),
    };
    expect(await float16Fault(without)).toBe(message);
  });
});
