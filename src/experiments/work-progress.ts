import type { RunEvent } from './run-types.ts';

/** Tells how much of some work is done, and how long the rest takes at the rate since the start of the clock, which is now. */
export function workProgress(
  onEvent: (event: RunEvent) => void,
  { what, unit }: { readonly what: string; readonly unit: string },
): (done: number, count: number) => void {
  const began = performance.now();
  return (done, count) => {
    const secondsLeft = ((performance.now() - began) / 1000 / done) * (count - done);
    onEvent({ kind: 'work', what, unit, done, count, secondsLeft });
  };
}
