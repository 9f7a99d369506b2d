/** What the emitter writes, the importer reads back as the same function with the same derivatives. */
import { describe, expect, test } from 'vitest';
import { dtypeFacts, type HostArray } from '../../../src/engine/dtype.ts';
import { vectorJacobianProduct } from '../../../src/engine/gradient.ts';
import { closeGraph, type Graph } from '../../../src/engine/graph.ts';
import { interpret } from '../../../src/engine/interpreter.ts';
import { emitModel } from '../../../src/engine/onnx/emit.ts';
import { importOnnx } from '../../../src/engine/onnx/import-model.ts';
import type { Example, Primitive } from '../../../src/engine/primitive.ts';
import { primitives } from '../../../src/engine/primitives/table.ts';
import type { Provider } from '../../../src/engine/runtime.ts';
import { applyPrimitive, placeholder, type Tensor } from '../../../src/engine/tensor.ts';
import { verifyGraph } from '../../../src/engine/verify.ts';
import { drawInputs } from '../examples.ts';
import { relativeError } from '../execute-graph.ts';

/** Its shapes depend on data on purpose, so that no optimiser knows them: nor can tracing. */
const unknowable = new Set(['barrier']);

interface Case {
  readonly primitive: Primitive;
  readonly example: Example;
  readonly label: string;
}

const cases: Case[] = primitives
  .filter(({ name }) => !unknowable.has(name))
  .flatMap((primitive) =>
    primitive.examples.map((example, index) => ({ primitive, example, label: `${primitive.name} #${index}` })),
  );

const isFloat = ({ dtype }: Tensor) => dtypeFacts[dtype].isFloat;
type Apply = (inputs: readonly Tensor[]) => readonly Tensor[];

/** A function of the inputs, and the derivative of its float outputs by its float inputs, for cotangents that are inputs, too. */
function withDerivatives(apply: Apply, inputs: readonly Tensor[]): Graph {
  const outputs = apply(inputs);
  const floats = outputs.filter(isFloat);
  const cotangents = floats.map(placeholder);
  const derivatives = vectorJacobianProduct(floats, inputs.filter(isFloat), cotangents);
  return closeGraph(
    [...inputs.map((x, i) => [`x${i}`, x] as const), ...cotangents.map((d, i) => [`d${i}`, d] as const)],
    [...outputs.map((y, i) => [`y${i}`, y] as const), ...derivatives.map((g, i) => [`g${i}`, g] as const)],
  );
}

/** The function of a graph after it went through a file; its parameters and inputs are all graph inputs. */
function throughFile(graph: Graph, provider: Provider = 'cpu'): Apply {
  const model = importOnnx(emitModel(graph, { provider }).bytes);
  expect(model.unsupported).toEqual([]);
  return (inputs) => {
    const named = Object.fromEntries(model.inputs.map(({ name }, i) => [name, inputs[i]]));
    const results = model.apply({}, named);
    return graph.outputs.map(({ name }) => results[name]);
  };
}

describe('a file that the emitter wrote', () => {
  test.each(cases)('of $label is the same function', ({ primitive, example, label }) => {
    for (const float of ['float32', 'float64'] as const) {
      const drawn = drawInputs(example.inputs, { seed: 3, float });
      const inputs = drawn.map(({ type }) => placeholder(type));
      const apply: Apply = (tensors) => applyPrimitive(primitive, tensors, example.attributes);
      const graph = closeGraph(
        inputs.map((x, i) => [`x${i}`, x]),
        apply(inputs).map((y, i) => [`y${i}`, y]),
      );
      const original = withDerivatives(apply, inputs);
      const again = withDerivatives(throughFile(graph), inputs);
      verifyGraph(again);
      const values: Record<string, HostArray> = Object.fromEntries(drawn.map(({ array }, i) => [`x${i}`, array]));
      for (const { name, value } of original.inputs) {
        if (!name.startsWith('d')) continue;
        const count = original.values[value].shape.reduce((a, b) => a * b, 1);
        values[name] = Float64Array.from({ length: count }, (_, i) => Math.cos(i + 1));
      }
      const wanted = interpret(original, values);
      const found = interpret(again, values);
      // Constants of float32 are rounded.
      for (const { name } of original.outputs)
        expect(relativeError(found[name], wanted[name]), `${label} ${float} ${name}`).toBeLessThan(
          float === 'float32' ? 2e-6 : 1e-12,
        );
    }
  });

  test.each(cases)('for WebGPU of $label is the same function', ({ primitive, example, label }) => {
    const drawn = drawInputs(example.inputs, { seed: 9, float: 'float32' });
    const ports = drawn.map(({ type }, i) => [`x${i}`, placeholder(type)] as const);
    const inputs = ports.map(([, tensor]) => tensor);
    const results = applyPrimitive(primitive, inputs, example.attributes).map((y, i) => [`y${i}`, y] as const);
    const graph = closeGraph(ports, results);
    const outputs = throughFile(graph, 'webgpu')(inputs);
    const again = closeGraph(
      ports,
      results.map(([name], i) => [name, outputs[i]]),
    );
    const values = Object.fromEntries(drawn.map(({ array }, i) => [`x${i}`, array]));
    const [wanted, found] = [interpret(graph, values), interpret(again, values)];
    for (const [name] of results)
      expect(relativeError(found[name], wanted[name]), `${label} ${name}`).toBeLessThan(2e-6);
  });

  test.each(cases)('of the derivative of $label is the same function', ({ primitive, example, label }) => {
    const drawn = drawInputs(example.inputs, { seed: 5, float: 'float32' });
    const inputs = drawn.map(({ type }) => placeholder(type));
    const graph = withDerivatives((tensors) => applyPrimitive(primitive, tensors, example.attributes), inputs);
    const ports = graph.inputs.map(({ name, value }) => [name, placeholder(graph.values[value])] as const);
    const outputs = throughFile(graph)(ports.map(([, tensor]) => tensor));
    const again = closeGraph(
      ports,
      graph.outputs.map(({ name }, i) => [name, outputs[i]]),
    );
    verifyGraph(again);
    const values: Record<string, ArrayLike<number>> = Object.fromEntries(
      drawn.map(({ values }, i) => [`x${i}`, values]),
    );
    for (const { name, value } of graph.inputs) {
      const count = graph.values[value].shape.reduce((a, b) => a * b, 1);
      values[name] ??= Float64Array.from({ length: count }, (_, i) => Math.sin(i + 1));
    }
    const given = values as Record<string, Float64Array>;
    const wanted = interpret(graph, given);
    const found = interpret(again, given);
    for (const { name } of graph.outputs)
      expect(relativeError(found[name], wanted[name]), `${label} ${name}`).toBeLessThan(2e-6);
  });
});
