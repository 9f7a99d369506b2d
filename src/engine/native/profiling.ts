import koffi from 'koffi';
import type { NativeContext } from './context.ts';
import type { Pointer } from './executor.ts';

/** Ends the profiling of a native session. @returns path of the profile, JSON in Chrome's trace format. */
export function endProfiling({ api }: NativeContext, session: Pointer): string {
  const allocator = api.create('GetAllocatorWithDefaultOptions');
  const path = api.create('SessionEndProfiling', session, allocator);
  const text = koffi.decode.string(path);
  api.call('AllocatorFree', allocator, path);
  return text;
}
