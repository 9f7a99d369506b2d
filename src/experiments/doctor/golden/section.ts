/** What replaying a section of a golden file means, and how its checks are counted. */

/** Outcome of a section. */
export interface SectionResult {
  readonly passed: number;
  readonly failed: number;
  /** Checks that need what is not built, or cases of a form that is not known. */
  readonly skipped: number;
  /** Largest error, relative to the expected value or to 1 if that is smaller; null if nothing was compared. */
  readonly worst: number | null;
  /** What failed, one sentence a check. */
  readonly failures: readonly string[];
}

/** Counts checks. */
export interface Tally {
  /** Compares a number: passes if its error is at most `tolerance`. */
  compare(what: string, values: { readonly got: number; readonly expected: number; readonly tolerance: number }): void;
  skip(): void;
  result(): SectionResult;
}

/** Replays a section: computes again what its cases state. Throws if the section is not of the expected form. */
export type Replayer = (section: unknown, tally: Tally) => Promise<void> | void;

/** An empty tally. */
export function createTally(): Tally {
  let passed = 0;
  let skipped = 0;
  let worst: number | null = null;
  const failures: string[] = [];
  return {
    compare(what, { got, expected, tolerance }) {
      const error = got === expected ? 0 : Math.abs(got - expected) / Math.max(1, Math.abs(expected));
      // An error that is not a number must not pass, nor vanish in the maximum.
      const counted = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
      worst = Math.max(worst ?? 0, counted);
      if (counted <= tolerance) passed++;
      else failures.push(`${what}: expected ${expected}, got ${got} (error ${counted.toExponential(1)})`);
    },
    skip() {
      skipped++;
    },
    result: () => ({ passed, failed: failures.length, skipped, worst, failures }),
  };
}
