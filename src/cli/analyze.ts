import { Command } from 'commander';
import { analyzeCouplingCommand } from './analyze-coupling.ts';
import { analyzeCurvatureCommand } from './analyze-curvature.ts';
import { analyzePruningStabilityCommand } from './analyze-pruning-stability.ts';
import type { CommandContext } from './context.ts';

/** `analyze <what>`: looks into trained runs. Each kind of analysis is a command in a file of its own, `analyze-<what>.ts`. */
export function analyzeCommand(context: CommandContext): Command {
  return new Command('analyze')
    .description('look into trained runs')
    .addCommand(analyzeCouplingCommand(context))
    .addCommand(analyzeCurvatureCommand(context))
    .addCommand(analyzePruningStabilityCommand(context));
}
