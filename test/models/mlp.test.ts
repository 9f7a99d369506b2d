import { afterAll, describe, expect, test } from 'vitest';
import { printGraph } from '../../src/engine/graph-text.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { verifyGraph } from '../../src/engine/verify.ts';
import { mlp } from '../../src/models/mlp.ts';
import { parameterCount } from '../../src/models/parameters.ts';
import { executeGraph } from '../engine/execute-graph.ts';
import { gradientGraph, predictionGraph, randomInputs, randomParameters } from './model-graphs.ts';

const runtime = await openNativeRuntime({ threads: 2 });
afterAll(() => runtime.release());

const tiny = mlp({ shape: [2], hidden: [4], activation: 'silu', timeFeatures: null, classes: null });

describe('an MLP', () => {
  test('has the graph that its definition says', () => {
    expect(printGraph(predictionGraph(tiny))).toMatchInlineSnapshot(`
      "input "p.layers.0.weight" = %0: f32[4,3]
      input "p.layers.0.bias" = %1: f32[4]
      input "p.layers.1.weight" = %2: f32[2,4]
      input "p.layers.1.bias" = %3: f32[2]
      input "x" = %4: f32[3,2]
      input "time" = %5: f32[3]
      %6: f32[3,1] = reshape(%5) {"shape":[3,1]}
      %7: f32[3,3] = concat(%4, %6) {"axis":1}
      %8: f32[3,4] = matmul(%7, %0) {"transposeA":false,"transposeB":true,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %9: f32[3,4] = add(%8, %1)
      %10: f32[3,4] = silu(%9)
      %11: f32[3,2] = matmul(%10, %2) {"transposeA":false,"transposeB":true,"rowsFirstA":false,"rowsFirstB":false,"alpha":1}
      %12: f32[3,2] = add(%11, %3)
      output "y" = %12"
    `);
  });

  test('counts its parameters', () => {
    expect(parameterCount(tiny.parameters)).toBe((2 + 1 + 1) * 4 + (4 + 1) * 2);
  });

  test.each(['silu', 'selu'] as const)('with %s sends a gradient to every parameter', async (activation) => {
    const model = mlp({ shape: [3, 2], hidden: [8, 8], activation, timeFeatures: 4, classes: 5 });
    const graph = gradientGraph(model);
    verifyGraph(graph);
    const { y, ...gradients } = await executeGraph(runtime, graph, {
      ...randomParameters(model),
      ...randomInputs(model),
    });
    expect(y.length).toBe(3 * 6);
    for (const [name, values] of Object.entries(gradients)) {
      expect(
        (values as Float32Array).some((value) => value !== 0),
        name,
      ).toBe(true);
    }
  });

  test('without labels predicts what the null class gives', async () => {
    const model = mlp({ shape: [2], hidden: [8], activation: 'silu', timeFeatures: 4, classes: 5 });
    const values = { ...randomParameters(model), ...randomInputs(model), labels: Int32Array.of(5, 5, 5) };
    const labelled = await executeGraph(runtime, predictionGraph(model), values);
    const unlabelled = await executeGraph(runtime, predictionGraph(model, { labelled: false }), values);
    expect(unlabelled.y).toEqual(labelled.y);
  });

  test('refuses points of another shape, and labels where it has no classes', () => {
    expect(() => predictionGraph(tiny, { labelled: true })).toThrow(/Expected `labels` to be null.*models MLP-4/);
    const wide = { ...tiny, input: { shape: [3] } };
    expect(() => predictionGraph(wide)).toThrow(/Expected `x` to be \[batch, ...dims\] = \[batch, 2\]; got \[3, 3\]/);
  });
});
