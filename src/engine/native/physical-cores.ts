/** How many physical cores this process may use. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Numbers of a list such as "0-3,8". */
function numbersOf(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number) as [number, number?];
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/** The threads that share the core of one, as the kernel writes them. */
function siblingsOf(thread: number): string {
  return readFileSync(`/sys/devices/system/cpu/cpu${thread}/topology/thread_siblings_list`, 'utf8').trim();
}

/**
 * Physical cores among those that the process may run on, by the kernel's own account: in many virtual machines ONNX Runtime takes every
 * second core for a core's second thread.
 * @returns `null` where the kernel is not Linux.
 */
export function physicalCores(): number | null {
  if (process.platform !== 'linux') return null;
  try {
    const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
    return new Set(numbersOf(allowed).map(siblingsOf)).size;
  } catch {
    // Where it says nothing, no thread is known to share a core.
    return availableParallelism();
  }
}
