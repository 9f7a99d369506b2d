/** Runs command lines against a terminal and a runner that only remember. */
import { runProgram } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import type { Runner, SampleRequest, TrainOutcome, TrainRequest } from '../../src/experiments/run-types.ts';

/** A terminal whose output can be read and whose clock can be set. */
export interface RecordedTerminal extends Terminal {
  readonly lines: string[];
  errors: string;
  timeMs: number;
}

export function recordedTerminal(interactive = false): RecordedTerminal {
  const terminal: RecordedTerminal = {
    lines: [],
    errors: '',
    timeMs: 0,
    interactive,
    out: (line) => terminal.lines.push(...line.split('\n')),
    err: (text) => {
      terminal.errors += text;
    },
    columns: () => 40,
    now: () => terminal.timeMs,
  };
  return terminal;
}

/** What a fake training answers. */
export const finished: Omit<TrainOutcome, 'directory'> = {
  imagesSeen: 100,
  seconds: 61,
  interrupted: false,
  stoppedEarly: false,
  best: null,
  checkpoint: 'c',
  parameterCount: 7,
  validation: { loss: 0.25, standardError: 0.01, samples: 10 },
  untrained: { loss: 1.5, standardError: 0.02, samples: 10 },
  constant: { loss: 0.9, standardError: 0.02, samples: 10 },
  skippedImages: 0,
};

/** A runner that remembers its requests; `train` writes what a real one leaves for the next step. */
export function fakeRunner(train: (request: TrainRequest) => Promise<TrainOutcome> | TrainOutcome) {
  const trained: TrainRequest[] = [];
  const sampled: SampleRequest[] = [];
  const runner: Runner = {
    async train(request) {
      trained.push(request);
      return train(request);
    },
    trainAutoencoder: () => Promise.reject(new Error('unexpected training')),
    async sample(request) {
      sampled.push(request);
      request.onEvent({ kind: 'sample', done: 1, count: 2, secondsLeft: 1 });
      const paths = [request.gridPath, request.arraysPath].filter((path) => path !== null);
      return { samples: request.seeds.length, seconds: 2, evaluations: 40, converged: true, paths };
    },
    evaluate: () => Promise.reject(new Error('unexpected evaluation')),
    trainStages: () => Promise.reject(new Error('unexpected stages')),
    encode: () => Promise.reject(new Error('unexpected encoding')),
    exportRun: () => Promise.reject(new Error('unexpected export')),
    importRun: () => Promise.reject(new Error('unexpected import')),
    analyzeBounds: () => Promise.reject(new Error('unexpected analysis')),
    analyzeClosedForm: () => Promise.reject(new Error('unexpected analysis')),
    analyzeCoupling: () => Promise.reject(new Error('unexpected analysis')),
    analyzeCurvature: () => Promise.reject(new Error('unexpected analysis')),
    analyzePruningStability: () => Promise.reject(new Error('unexpected analysis')),
  };
  return { runner, trained, sampled };
}

/** Outcome of a command line. */
export interface CommandResult {
  readonly status: number;
  /** Lines of standard output. */
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Runs a command line with a runner; without one, any training or sampling fails the test. */
export async function runCommand(
  args: readonly string[],
  { runner = fakeRunner(() => Promise.reject(new Error('unexpected training'))).runner, debug = false } = {},
): Promise<CommandResult> {
  const terminal = recordedTerminal();
  const status = await runProgram(args, { terminal, runner, debug });
  return { status, lines: terminal.lines, errors: terminal.errors };
}
