/** Binds tensors to the inputs and outputs of a session. */
import koffi from 'koffi';
import { ShapeError } from '../../errors.ts';
import type { Binding, DeviceTensor, OnnxModel, TensorSpec } from '../runtime.ts';
import { describeSpec } from '../tensor-spec.ts';
import { type NativeContext, ownNative } from './context.ts';
import type { NativeCall } from './executor.ts';
import { type NativeObject, nativeObject } from './native-object.ts';
import { cString } from './ort-api.ts';

type Tensors = Readonly<Record<string, DeviceTensor>>;

export interface BindingParts {
  readonly session: NativeObject;
  readonly model: OnnxModel;
  readonly inputs: Tensors;
  readonly outputs: Tensors;
}

/** The native side of a binding. */
export interface BoundTensors {
  readonly value: NativeObject;
  /** Calls to make before each run: they copy inputs in host memory to the device, which binding does once only. */
  readonly refresh: readonly NativeCall[];
}

/**
 * A binding of every input and output; it keeps the tensors' memory until it is released itself.
 * @throws ShapeError if a name is missing or unknown, a spec differs, or an output is bound twice or is also an input that it may not
 *   overwrite.
 */
export function bindTensors(
  context: NativeContext,
  { session, model, inputs, outputs }: BindingParts,
): { readonly binding: Binding; readonly bound: BoundTensors } {
  const { api, ledger } = context;
  const inputValues = valuesFor(context, model.inputs, inputs);
  const outputValues = valuesFor(context, model.outputs, outputs);
  checkDistinct(model, inputs, outputs);

  const names = new Map([...inputValues.keys()].map((name) => [name, cString(name)]));
  const pointer = api.create('CreateIoBinding', session.pointer);
  const value = nativeObject(pointer, {
    destroy: (binding) => api.release('ReleaseIoBinding', binding),
    uses: [session, ...inputValues.values(), ...outputValues.values()],
    memory: [...names.values()],
    ledger,
  });
  const done = value.retain();
  try {
    for (const [name, input] of inputValues) api.call('BindInput', pointer, names.get(name)!, input.pointer);
    for (const [name, output] of outputValues) api.call('BindOutput', pointer, name, output.pointer);
    const onHost = context.device === null ? [] : [...inputValues].filter(([name]) => inputs[name]!.view !== null);
    const refresh = onHost.map(([name, input]) =>
      api.prepare('BindInput', pointer, koffi.address(names.get(name)), input.pointer),
    );
    const binding: Binding = { release: () => release() };
    const release = ownNative(context, { owner: binding, native: value });
    return { binding, bound: { value, refresh } };
  } finally {
    done();
  }
}

function valuesFor(
  context: NativeContext,
  specs: readonly TensorSpec[],
  tensors: Tensors,
): ReadonlyMap<string, NativeObject> {
  const known = new Set(specs.map(({ name }) => name));
  const unknown = Object.keys(tensors).find((name) => !known.has(name));
  if (unknown !== undefined) throw bindError(`tensors for ${[...known].map(quote).join(', ')}`, quote(unknown));
  return new Map(specs.map((spec) => [spec.name, valueFor(context, spec, tensors[spec.name])]));
}

function valueFor(context: NativeContext, spec: TensorSpec, tensor: DeviceTensor | undefined): NativeObject {
  if (tensor === undefined) throw bindError(`a tensor for ${quote(spec.name)}`, 'none');
  if (describeSpec(tensor.spec) !== describeSpec(spec)) {
    throw bindError(`${quote(spec.name)} to be ${describeSpec(spec)}`, describeSpec(tensor.spec));
  }
  const value = context.values.get(tensor);
  if (value === undefined) throw bindError(`a tensor of this runtime for ${quote(spec.name)}`, "another runtime's");
  // Throws if the tensor is released.
  void tensor.view;
  return value;
}

/** ONNX Runtime reorders nodes, so an output that shared memory with an input would be silently wrong, unless it is proven not to be. */
function checkDistinct({ mayOverwrite }: OnnxModel, inputs: Tensors, outputs: Tensors): void {
  const held = new Map<DeviceTensor, string[]>();
  for (const [name, tensor] of Object.entries(inputs)) held.set(tensor, [...(held.get(tensor) ?? []), name]);
  const taken = new Map<DeviceTensor, string>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const reader = held.get(tensor)?.find((input) => mayOverwrite?.(name, input) !== true);
    const other = reader === undefined ? taken.get(tensor) : `input ${quote(reader)}`;
    if (other !== undefined) throw bindError(`output ${quote(name)} to have a tensor of its own`, `that of ${other}`);
    taken.set(tensor, `output ${quote(name)}`);
  }
}

function bindError(expected: string, got: string): ShapeError {
  return new ShapeError({ expected, got, where: 'engine/native/bind' });
}

function quote(name: string): string {
  return `\`${name}\``;
}
