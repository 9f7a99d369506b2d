/** What the parts of one native runtime share. */
import { RuntimeError } from '../../errors.ts';
import type { DeviceTensor, RuntimeOptions } from '../runtime.ts';
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
  readonly ledger: Ledger;
  /** The native value behind each tensor that is not released. */
  readonly values: WeakMap<DeviceTensor, NativeObject>;
  /** Releases of everything that a user holds. */
  readonly open: Set<Release>;
}

/**
 * Ties a native object to the JavaScript object that stands for it: released by the returned function, by `runtime.release`, or when `owner`
 * is garbage collected, whichever comes first.
 */
export function ownNative(context: NativeContext, owner: object, native: NativeObject): Release {
  const { open } = context;
  const drop = native.retain();
  const release = () => {
    open.delete(release);
    drop();
  };
  open.add(release);
  releaseWithOwner(owner, release);
  return release;
}

/** The error for use after release. */
export function releasedError(what: string, where: string): RuntimeError {
  return new RuntimeError({ expected: `${what} to be in use`, got: 'a released one', where: `engine/native/${where}` });
}
