/** What commands print to, so that tests can read it. */

/** Standard output and standard error of the process, or of a test. */
export interface Terminal {
  /** Writes a line of results to standard output. */
  out(line: string): void;
  /** Writes text to standard error as it is: progress and errors. */
  err(text: string): void;
  /** Whether a person watches standard error. */
  readonly interactive: boolean;
  /** Width of the terminal in characters. */
  columns(): number;
  /** Milliseconds since some moment. */
  now(): number;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (text) => process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    columns: () => process.stderr.columns ?? 80,
    now: () => performance.now(),
  };
}
