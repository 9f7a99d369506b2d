/** What the parts of one native runtime share. */
import { RuntimeError } from '../../errors.ts';
import type { DeviceTensor, RuntimeOptions } from '../runtime.ts';
import type { DeviceMemory } from './device-memory.ts';
import type { Executor } from './executor.ts';
import { type Ledger, type NativeObject, type Release, releaseWithOwner } from './native-object.ts';
import type { OrtApi } from './ort-api.ts';

export interface NativeContext {
  readonly api: OrtApi;
  readonly executor: Executor;
  /** Whether the executor's thread does, so that sessions do as well. */
  readonly flushesDenormals: boolean;
  readonly options: Required<RuntimeOptions>;
  readonly environment: NativeObject;
  /** Describes host memory to ONNX Runtime. */
  readonly hostMemory: NativeObject;
  /** Memory of the provider's device; `null` where kernels run in host memory. */
  readonly device: DeviceMemory | null;
  readonly ledger: Ledger;
  /** The native value behind each tensor. */
  readonly values: WeakMap<DeviceTensor, NativeObject>;
  /** Releases of everything that a user holds. */
  readonly open: Set<Release>;
}

/**
 * Ties a native object to the JavaScript object that stands for it: released by the returned function, by `runtime.release`, or
 * when `owner` is garbage collected, whichever comes first. `end`, which must not refer to `owner`, is called before the first two;
 * in the third a run may still be in progress that nobody wants to stop.
 */
export function ownNative(
  context: NativeContext,
  { owner, native, end = () => {} }: { readonly owner: object; readonly native: NativeObject; readonly end?: Release },
): Release {
  const { open } = context;
  const drop = native.retain();
  const release = () => {
    if (!open.delete(release)) return;
    end();
    drop();
  };
  open.add(release);
  releaseWithOwner(owner, () => {
    open.delete(release);
    drop();
  });
  return release;
}

/** The error for use after release. */
export function releasedError(what: string, where: string): RuntimeError {
  return new RuntimeError({ expected: `${what} to be in use`, got: 'a released one', where: `engine/native/${where}` });
}
