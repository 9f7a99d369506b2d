/** Sessions with tensors for all of their inputs and outputs. */
import type { DeviceTensor, OnnxModel, Runtime } from '../../../src/engine/runtime.ts';

type Tensors = Record<string, DeviceTensor>;

/** A session with a zero-filled tensor for each of its inputs and outputs. */
export async function prepared(on: Runtime, source: OnnxModel) {
  const session = await on.createSession(source);
  const allocate = (specs: OnnxModel['inputs']): Tensors =>
    Object.fromEntries(specs.map((each) => [each.name, on.allocate(each)]));
  const inputs = allocate(source.inputs);
  const outputs = allocate(source.outputs);
  return { session, inputs, outputs, binding: session.bind(inputs, outputs) };
}

/** Sets every element of a tensor of floats in the host's memory. */
export function fill(tensor: DeviceTensor, value: (index: number) => number): void {
  const view = tensor.view as Float32Array;
  for (let index = 0; index < view.length; index++) view[index] = value(index);
}
