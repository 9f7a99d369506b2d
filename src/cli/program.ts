/** The program `flowloom`: its commands, and how a command's end becomes an exit status. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { FlowError } from '../errors.ts';
import type { Runner } from '../experiments/run-types.ts';
import { analyzeCommand } from './analyze.ts';
import type { CommandContext } from './context.ts';
import { doctorCommand } from './doctor.ts';
import { encodeCommand } from './encode.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { importCommand } from './import.ts';
import { interruptedStatus } from './interrupt.ts';
import { reproduceCommand } from './reproduce.ts';
import { sampleCommand } from './sample.ts';
import { startCommand } from './start.ts';
import type { Terminal } from './terminal.ts';
import { trainCommand } from './train.ts';

/** Exit status after a mistake of the user. */
const mistakeStatus = 2;

/** Where the program runs. */
export interface ProgramOptions {
  readonly terminal: Terminal;
  readonly runner: Runner;
  /** Whether errors come with their stacks. */
  readonly debug: boolean;
}

function packageVersion(): string {
  // The same relative path from src/cli/ and dist/cli/.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function createProgram(context: CommandContext): Command {
  const { terminal } = context;
  const program = new Command('flowloom')
    .description('Train, sample, evaluate and analyze flow-matching generative models.')
    .version(packageVersion())
    .addCommand(startCommand(context))
    .addCommand(trainCommand(context))
    .addCommand(sampleCommand(context))
    .addCommand(evaluateCommand(context))
    .addCommand(encodeCommand(context))
    .addCommand(exportCommand(context))
    .addCommand(importCommand(context))
    .addCommand(analyzeCommand(context))
    .addCommand(reproduceCommand(context))
    .addCommand(doctorCommand(context));
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text),
    });
  }
  return program;
}

/** A command with all below it. */
function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/**
 * Runs a command line and gives its exit status: 0; 2 after a user's mistake; 1 after a failure; 130 after an interrupt.
 * @param args  arguments without the names of node and of the script.
 */
export async function runProgram(
  args: readonly string[],
  { terminal, runner, debug }: ProgramOptions,
): Promise<number> {
  let status = 0;
  const setStatus = (value: number) => {
    status = value;
  };
  try {
    await createProgram({ terminal, runner, setStatus }).parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    return reportError(error, terminal, debug);
  }
}

function reportError(error: unknown, terminal: Terminal, debug: boolean): number {
  // commander has printed its message already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : mistakeStatus;
  if (error instanceof Error && error.name === 'AbortError') {
    terminal.err('\nInterrupted.\n');
    return interruptedStatus;
  }
  const known = error instanceof FlowError;
  const message = error instanceof Error ? error.message : String(error);
  terminal.err(`\n${known ? message : `Internal error, please report: ${message}`}\n`);
  if (debug) terminal.err(`${error instanceof Error ? error.stack : error}\n`);
  else if (!known) terminal.err('Set FLOWLOOM_DEBUG=1 to see where.\n');
  return known ? error.exitStatus : 1;
}
