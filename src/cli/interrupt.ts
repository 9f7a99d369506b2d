/** SIGINT and SIGTERM as an abort signal. */
import type { Terminal } from './terminal.ts';

/** Exit status after an interrupt: 128 + SIGINT. */
export const interruptedStatus = 130;

const signals = ['SIGINT', 'SIGTERM'] as const;

/** Runs `action` with a signal that the first SIGINT or SIGTERM aborts; the second one ends the process at once. */
export async function withInterrupt<T>(terminal: Terminal, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(interruptedStatus);
    terminal.err('\nStopping; again to stop at once.\n');
    controller.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await action(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
