/** Memory of this process that is resident, as Linux counts it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const status = '/proc/self/status';

/** A field of the process's status in bytes; NaN where the system has no such file. */
function field(name: 'VmRSS' | 'VmHWM'): number {
  if (!existsSync(status)) return Number.NaN;
  return 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readFileSync(status, 'utf8'))?.[1] ?? Number.NaN);
}

/** Highest resident memory of this process so far, in bytes; `null` where the system does not tell it. */
export function peakResidentBytes(): number | null {
  const bytes = field('VmHWM');
  return Number.isFinite(bytes) ? bytes : null;
}

/** Starts to watch. @returns the highest resident memory since then above that at the start, in bytes; NaN where it cannot be had. */
export function watchResidentMemory(): () => number {
  const before = field('VmRSS');
  // Sets the high-water mark back to what is resident now; see proc(5).
  if (Number.isFinite(before)) writeFileSync('/proc/self/clear_refs', '5');
  return () => field('VmHWM') - before;
}
