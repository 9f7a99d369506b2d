import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench, BenchCase } from './bench.ts';
import { median } from './interleave.ts';

const program = fileURLToPath(new URL('trace-once.ts', import.meta.url));

async function compileOnce(name: string, threads: number): Promise<Record<string, number>> {
  const args = [...process.execArgv, program, name, String(threads)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

function traceCase(name: string, { onlyByName = false } = {}): BenchCase {
  return {
    name,
    onlyByName,
    async measure(context) {
      const rounds = context.rounds ?? 5;
      const times: Record<string, number>[] = [];
      for (let round = 1; round <= rounds; round++) {
        context.progress(`${name}: round ${round} of ${rounds}`);
        times.push(await compileOnce(name, context.runtime.threads ?? 1));
      }
      const { ms, ...details } = Object.fromEntries(
        Object.keys(times[0]).map((key) => [key, median(times.map((time) => time[key]))]),
      );
      return {
        case: name,
        ms,
        gflops: null,
        fractionOfGemm: null,
        peer: null,
        reason: 'nothing comparable',
        ratioToPeer: null,
        details: { ...details, turns: rounds },
      };
    },
  };
}

/** From a model's function to an executable training step. */
export const trace: Bench = {
  name: 'trace',
  summary: 'tracing, differentiating, emitting and loading the training step of a 12-block DiT',
  notes:
    'Each run is the first in a process of its own. `traceMs` is tracing with differentiation, `sessionMs` what ONNX Runtime takes to load ' +
    'the model; `peakRssMiB` is that of the whole process.',
  cases: [traceCase('dit-s-2'), traceCase('tiny', { onlyByName: true })],
};
