/** How stable the exact flow of data sets is when data are removed. */
import { measurePruning } from './measure-pruning.ts';
import { writePruningFiles } from './pruning-files.ts';
import type { PruningOutcome, PruningRequest } from './pruning-request.ts';

/**
 * Measures the cases of a request and writes the results as files.
 * @throws ConfigError or DataError as `measurePruning`.
 */
export async function analyzePruningStability(request: PruningRequest): Promise<PruningOutcome> {
  const started = performance.now();
  const runs = await measurePruning(request.cases, request);
  const paths = writePruningFiles(request.outDirectory, runs, { runs });
  return { runs, seconds: (performance.now() - started) / 1000, paths };
}
