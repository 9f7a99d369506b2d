/** The command line of the benchmarks. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type NativeRuntime, openNativeRuntime } from '../src/engine/native/native-runtime.ts';
import type { Provider } from '../src/engine/runtime.ts';
import { ConfigError, FlowError } from '../src/errors.ts';
import { assignment } from './assignment.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { closedForm } from './closed-form.ts';
import { efm } from './efm.ts';
import { features } from './features.ts';
import { frechet } from './frechet.ts';
import { gemm } from './gemm.ts';
import { host } from './host.ts';
import { loom } from './loom.ts';
import { observeMachine } from './machine.ts';
import { isMissing, type MissingPeer, openTorch, type Peer, type PeerOpener } from './peer.ts';
import { spinning } from './spinning.ts';
import { step } from './step.ts';
import { formatTable } from './table.ts';
import { trace } from './trace.ts';

const benches: readonly Bench[] = [
  gemm,
  step,
  host,
  trace,
  spinning,
  assignment,
  loom,
  closedForm,
  efm,
  frechet,
  features,
];

interface Flags {
  readonly json?: boolean;
  readonly python: string;
  readonly cases?: string;
  readonly rounds?: number;
  readonly threads: number;
  readonly provider: Provider;
  readonly spinning?: boolean;
}

function runtimeOf({ provider, threads, spinning = false }: Flags): BenchContext['runtime'] {
  return { provider, threads, spinning };
}

function counting(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a positive integer.');
}

function listed(): string {
  const width = Math.max(...benches.map(({ name }) => name.length));
  return benches
    .map(({ name, summary, cases }) => {
      const names = (byName: boolean) => cases.filter((one) => (one.onlyByName ?? false) === byName);
      const join = (some: readonly BenchCase[]) => some.map((one) => one.name).join(', ');
      const indent = ' '.repeat(width + 4);
      return `  ${name.padEnd(width)}  ${summary}\n${indent}cases: ${join(names(false))}\n${indent}by name: ${join(names(true))}`;
    })
    .join('\n');
}

function findBench(name: string): Bench {
  const bench = benches.find((one) => one.name === name);
  if (bench !== undefined) return bench;
  throw new ConfigError({
    expected: `a bench (${benches.map((one) => one.name).join(', ')})`,
    got: `"${name}"`,
    where: 'bench',
  });
}

function chooseCases({ name, cases }: Bench, wanted: string | undefined): readonly BenchCase[] {
  if (wanted === undefined) return cases.filter(({ onlyByName = false }) => !onlyByName);
  return wanted.split(',').map((text) => {
    const found = cases.find((one) => one.name === text.trim());
    if (found !== undefined) return found;
    const expected = `cases of ${name} (${cases.map((one) => one.name).join(', ')})`;
    throw new ConfigError({ expected, got: `"${text}"`, where: 'bench --cases' });
  });
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Measures one case after another, also after one that failed; what a case opened is released after it. */
async function measureAll(
  { cases, openPeer }: { readonly cases: readonly BenchCase[]; readonly openPeer: PeerOpener },
  flags: Flags,
): Promise<{ readonly results: CaseResult[]; readonly failures: unknown[] }> {
  const runtime = runtimeOf(flags);
  const open: NativeRuntime[] = [];
  const peers: Promise<Peer | MissingPeer>[] = [];
  const context: BenchContext = {
    runtime,
    async openRuntime(options = runtime) {
      const opened = await openNativeRuntime(options);
      open.push(opened);
      return opened;
    },
    peer() {
      if (peers.length === 0) peers.push(openPeer(flags.python, flags));
      return peers[0];
    },
    freshPeer: () => openPeer(flags.python, flags),
    rounds: flags.rounds ?? null,
    progress: showProgress,
  };
  const results: CaseResult[] = [];
  const failures: unknown[] = [];
  try {
    for (const one of cases) {
      await one.measure(context).then(
        (result) => results.push(result),
        (error) => failures.push(error),
      );
      for (const opened of open.splice(0)) opened.release();
    }
    return { results, failures };
  } finally {
    showProgress('');
    for (const peer of await Promise.all(peers)) if (!isMissing(peer)) peer.close();
  }
}

async function runBench(name: string, flags: Flags): Promise<void> {
  const bench = findBench(name);
  const cases = chooseCases(bench, flags.cases);
  const machineAfter = observeMachine(runtimeOf(flags));
  const { results, failures } = await measureAll({ cases, openPeer: bench.openPeer ?? openTorch }, flags);
  const machine = machineAfter();
  console.log(
    flags.json ? JSON.stringify({ bench: name, machine, cases: results }) : formatTable(bench, machine, results),
  );
  if (failures.length > 0) throw new AggregateError(failures);
}

const program = new Command('bench')
  .exitOverride()
  .description('Measures the engine: medians of runs that alternate with those of the peer.')
  .argument('[name]', 'which bench; without it, they are listed')
  .option('--json', 'one line of JSON instead of a table')
  .option('--python <path>', 'Python that has the peer, PyTorch or SciPy; `none` for no peer', 'python3')
  .option('--cases <names>', 'cases, separated by commas')
  .option('--rounds <count>', 'turns of each side', counting)
  .option('--threads <count>', 'threads of each side', counting, 2)
  .addOption(
    new Option('--provider <name>', 'where both sides compute; PyTorch takes CUDA for any but the CPU')
      .choices(['cpu', 'webgpu', 'cuda'])
      .default('cpu'),
  )
  .option('--spinning', "the engine's threads spin while they wait")
  .addHelpText('after', `\nBenches:\n${listed()}`)
  .action(async (name: string | undefined, flags: Flags) => {
    if (name === undefined) program.outputHelp();
    else await runBench(name, flags);
  });

function exitStatusOf(error: unknown): number {
  // commander has printed its message already; help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  console.error(error instanceof FlowError ? error.message : error);
  return error instanceof FlowError ? error.exitStatus : 1;
}

try {
  await program.parseAsync();
} catch (error) {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  process.exitCode = Math.max(...errors.map(exitStatusOf));
}
