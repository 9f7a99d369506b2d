/**
 * Lifetimes of native objects. An object lives as long as somebody uses it: the JavaScript object that stands for it, other
 * native objects that refer to it, a run in progress. So release order does not matter, and release during a run is safe.
 */
import type { Pointer } from './executor.ts';

/** Takes one user away; idempotent. */
export type Release = () => void;

/** A native object with its users. */
export interface NativeObject {
  readonly pointer: Pointer;
  /** Adds a user. The object is destroyed when its last user has released it. */
  retain(): Release;
}

/** Count of native objects that are not destroyed yet. */
export interface Ledger {
  live: number;
}

export interface NativeObjectOptions {
  readonly destroy: (pointer: Pointer) => void;
  /** Native objects that this one refers to; they outlive it. */
  readonly uses?: readonly NativeObject[];
  /** Memory that the native object points into; kept from garbage collection as long as it lives. */
  readonly memory?: ArrayBufferLike | readonly Uint8Array[];
  readonly ledger: Ledger;
}

/** A native object without users yet. */
export function nativeObject(pointer: Pointer, options: NativeObjectOptions): NativeObject {
  const { destroy, uses = [], ledger } = options;
  const releases = uses.map((object) => object.retain());
  let users = 0;
  ledger.live += 1;
  const drop = () => {
    users -= 1;
    if (users > 0) return;
    ledger.live -= 1;
    destroy(pointer);
    for (const release of releases) release();
  };
  // `options` is captured for its memory.
  const object = { pointer, options, retain: () => retainOnce() };
  const retainOnce = (): Release => {
    users += 1;
    return once(drop);
  };
  return object;
}

function once(action: () => void): Release {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

const abandoned = new FinalizationRegistry<Release>((release) => release());

/** Safety net: releases when `owner` is garbage collected. `release` must not refer to `owner`. */
export function releaseWithOwner(owner: object, release: Release): void {
  abandoned.register(owner, release);
}
