/** Building blocks against PyTorch: `scripts/golden/blocks.py` wrote the numbers. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { gradient } from '../../src/engine/gradient.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { multiply, reduceSum } from '../../src/engine/ops.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { type TensorTree, tensorType, trace } from '../../src/engine/trace.ts';
import { selfAttention } from '../../src/models/layers/attention.ts';
import { attentionBlock } from '../../src/models/layers/attention-block.ts';
import { ditBlock } from '../../src/models/layers/dit-block.ts';
import { residualBlock } from '../../src/models/layers/residual-block.ts';
import { flattenParameters, type ParameterTree, parameterTypes } from '../../src/models/parameters.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { expectGradient, expectOutput, type Fill, filled, type Summary } from './golden-tensors.ts';

interface GoldenCase {
  readonly options: Readonly<Record<string, number>>;
  readonly inputs: readonly string[];
  readonly tensors: Readonly<Record<string, Fill>>;
  readonly weights: Fill;
  readonly output: readonly number[];
  readonly gradients: Readonly<Record<string, Summary>>;
}

interface Block {
  readonly parameters: ParameterTree;
  apply(parameters: TensorTree, inputs: Readonly<Record<string, Tensor>>): Tensor;
}

const golden = JSON.parse(readFileSync(new URL('../golden/blocks.json', import.meta.url), 'utf8')) as {
  readonly torch: string;
  readonly cases: Readonly<Record<string, GoldenCase>>;
};

/** A layer that reads only x, as one that reads named inputs. */
function onlyX(layer: { readonly parameters: ParameterTree; apply(parameters: TensorTree, x: Tensor): Tensor }): Block {
  return { parameters: layer.parameters, apply: (parameters, { x }) => layer.apply(parameters, x) };
}

// The casts forget which parameters and inputs a block wants: the golden file names them all.
const blocks: Readonly<Record<string, (options: Readonly<Record<string, number>>) => Block>> = {
  attention: ({ width, heads }) => onlyX(selfAttention(width, heads)),
  ditBlock: ({ width, heads, mlpRatio }) => ditBlock(width, { heads, mlpRatio }) as unknown as Block,
  residualBlock: ({ inputs, outputs, features, groups }) =>
    residualBlock(inputs, outputs, { features, groups }) as unknown as Block,
  attentionBlock: ({ channels, heads, groups }) => onlyX(attentionBlock(channels, { heads, groups })),
};

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

/** Output and gradients of the block by the golden file's names. */
async function evaluate(block: Block, one: GoldenCase) {
  const types = {
    p: parameterTypes(block.parameters),
    x: Object.fromEntries(one.inputs.map((name) => [name, tensorType(one.tensors[name].shape)])),
    weights: tensorType(one.weights.shape),
  };
  const graph = trace((all) => {
    const { p, x, weights } = all as unknown as { p: TensorTree; x: Record<string, Tensor>; weights: Tensor };
    const y = block.apply(p, x);
    return { y, gradient: gradient(reduceSum(multiply(y, weights)), { p, x }) };
  }, types);
  const values = Object.entries(one.tensors).map(([name, fill]) => [
    `${one.inputs.includes(name) ? 'x' : 'p'}.${name}`,
    filled(fill),
  ]);
  const results = await executeGraph(runtime, graph, { ...Object.fromEntries(values), weights: filled(one.weights) });
  const named = Object.entries(results).map(([name, array]) => [
    name.replace(/^gradient\.[px]\./, ''),
    Float64Array.from(array as Float32Array),
  ]);
  const { y, ...gradients } = Object.fromEntries(named) as Record<string, Float64Array>;
  return { y, gradients };
}

describe.each(Object.entries(golden.cases))('%s', (name, one) => {
  const block = blocks[name](one.options);

  test('has the parameters of the golden file', () => {
    const shapes = flattenParameters(block.parameters).map(([path, { shape }]) => [path, [...shape]]);
    const wanted = Object.entries(one.tensors).filter(([path]) => !one.inputs.includes(path));
    expect(Object.fromEntries(shapes)).toEqual(Object.fromEntries(wanted.map(([path, { shape }]) => [path, shape])));
  });

  test('agrees with PyTorch in output and in all gradients', async () => {
    const { y, gradients } = await evaluate(block, one);
    expectOutput(y, one.output);
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(one.gradients).sort());
    for (const [path, wanted] of Object.entries(one.gradients)) {
      expectGradient(gradients[path], wanted, path);
    }
  });
});
