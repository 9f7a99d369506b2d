import { Command, InvalidArgumentError } from 'commander';
import { ownGoldenFile, replayGolden } from '../experiments/doctor/golden/replay.ts';
import type { SectionResult } from '../experiments/doctor/golden/section.ts';
import { examineMachine, type MachineReport } from '../experiments/doctor/machine.ts';
import { modelSize, networkSize, type StepMemories } from '../experiments/doctor/model-size.ts';
import { networkNamed, networks } from '../experiments/networks.ts';
import { readConfig } from '../experiments/read-config.ts';
import type { CommandContext } from './context.ts';
import { formatBytes } from './progress.ts';
import { addSharedFlags, integerFlag, printSettings, type SharedFlags } from './shared-flags.ts';
import type { Terminal } from './terminal.ts';

interface DoctorFlags extends SharedFlags {
  readonly golden?: string | true;
  readonly model?: string;
  readonly shape?: readonly number[];
  readonly classes?: number;
}

type GoldenResults = Readonly<Record<string, SectionResult>>;

/** `doctor`: what this machine offers, and whether flowloom computes rightly on it. */
export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor')
    .description('say what this machine offers and check the numbers that flowloom computes on it')
    .option('--golden [file]', 'only replay a golden file (default: the one that comes with flowloom)')
    .option(
      '--model <preset, config or network>',
      `only count parameters and operations of a model; networks: ${Object.keys(networks).join(', ')}`,
    )
    .option('--shape <c,h,w>', 'with --model: shape of a sample, instead of opening the data', shapeFlag)
    .option('--classes <n>', 'with --shape: number of classes', integerFlag(1));
  return addSharedFlags(command).action((flags: DoctorFlags) => examine(context, flags));
}

async function examine(context: CommandContext, flags: DoctorFlags): Promise<void> {
  const { terminal } = context;
  const { golden, model, json = false, dryRun = false, seed = 0 } = flags;
  const file = typeof golden === 'string' ? golden : ownGoldenFile;
  if (dryRun) return printSettings(terminal, { json }, { golden: file, model: model ?? null, seed });
  if (model !== undefined) return showModel(terminal, model, flags);
  const machine = golden === undefined ? await examineMachine(seed) : null;
  if (machine !== null) for (const line of machineLines(machine)) terminal.out(line);
  const results = await replayGolden(file);
  for (const line of goldenLines(file, results)) terminal.out(line);
  if (json) terminal.out(JSON.stringify(machine === null ? counts(results) : { machine, golden: counts(results) }));
  const failed =
    Object.values(results).some((section) => section.failed > 0) || !(machine === null || isSound(machine));
  if (failed) context.setStatus(1);
}

async function showModel(terminal: Terminal, source: string, flags: DoctorFlags): Promise<void> {
  const { shape, classes, json = false } = flags;
  const facts = shape === undefined ? null : { shape, classes: classes ?? null };
  const network = networkNamed(source);
  const size =
    network === null ? await modelSize(readConfig(source), facts) : networkSize(network.model, facts ?? network);
  const samples = size.classes === null ? 'no labels' : `${size.classes} classes`;
  terminal.out(`${size.name} on [${size.shape.join(', ')}], ${samples}`);
  terminal.out(`  ${size.parameters.toLocaleString('en-US')} parameters`);
  const gigas = size.multiplyAdds / 1e9;
  terminal.out(
    `  ${gigas.toPrecision(4)} · 10^9 multiply-adds for an evaluation of one sample (${(2 * gigas).toPrecision(4)} GFLOP)`,
  );
  for (const [part, count] of Object.entries(size.parts)) terminal.out(`  ${part}: ${count.toLocaleString('en-US')}`);
  if (size.step !== undefined) for (const line of stepLines(size.step)) terminal.out(line);
  if (json) terminal.out(JSON.stringify(size));
}

/** What a training step takes, by what it computes again. */
function stepLines({ nothing, cheap, blocks }: StepMemories): string[] {
  const sum = ({ stateBytes, betweenBytes }: StepMemories['nothing']) =>
    `${formatBytes(stateBytes + betweenBytes)}, of which ${formatBytes(stateBytes)} state`;
  return [
    '  memory of a training step besides the program, an estimate:',
    `    ${sum(nothing)}`,
    `    ${sum(cheap)}, with training.rematerialise=cheap`,
    `    ${sum(blocks)}, with training.rematerialise=blocks`,
  ];
}

/** Whether the processor works and no provider that starts computes wrongly. */
function isSound({ providers }: MachineReport): boolean {
  return providers.cpu.available && Object.values(providers).every((one) => !one.available || one.check.passed);
}

function machineLines(machine: MachineReport): string[] {
  const gigabytes = (machine.memoryBytes / 2 ** 30).toFixed(1);
  const providers = Object.entries(machine.providers).map(([name, report]) => {
    if (!report.available) return `${name.padEnd(12)} ${absence(report.reason)}`;
    const { passed, worst, durationMs } = report.check;
    return `${name.padEnd(12)} ${passed ? 'computes rightly' : 'COMPUTES WRONGLY'}: worst error ${worst.toExponential(1)}, ${Math.round(durationMs)} ms`;
  });
  return [
    `node         ${machine.node} on ${machine.platform} ${machine.architecture}`,
    `processor    ${machine.processor}, ${machine.cores} threads at once`,
    `memory       ${gigabytes} GiB`,
    `engine       ONNX Runtime ${machine.onnxRuntime}`,
    ...providers,
  ];
}

/** Why a provider is not here: what it wants, if the error says so. */
function absence(reason: string): string {
  const [, remedy] = reason.split('. Try ');
  return remedy === undefined ? `fails: ${reason}` : `not here; it wants ${remedy}`;
}

function goldenLines(file: string, results: GoldenResults): string[] {
  const width = Math.max(0, ...Object.keys(results).map((name) => name.length));
  const lines = Object.entries(results).flatMap(([name, { passed, failed, skipped, worst, failures }]) => {
    const numbers =
      worst === null
        ? `skipped (${skipped})`
        : `${passed} passed, ${failed} failed, ${skipped} skipped, worst error ${worst.toExponential(1)}`;
    return [`  ${name.padEnd(width)}  ${numbers}`, ...failures.map((failure) => `    ${failure}`)];
  });
  return [`golden numbers of ${file}`, ...lines];
}

/** The results without the texts of failures. */
function counts(results: GoldenResults): Record<string, Omit<SectionResult, 'failures'>> {
  return Object.fromEntries(Object.entries(results).map(([name, { failures: _texts, ...numbers }]) => [name, numbers]));
}

function shapeFlag(text: string): readonly number[] {
  const shape = text.split(',').map(Number);
  if (shape.every((size) => Number.isInteger(size) && size > 0)) return shape;
  throw new InvalidArgumentError('Expected positive integers such as 3,32,32.');
}
