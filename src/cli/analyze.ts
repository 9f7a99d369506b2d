import { Command } from 'commander';
import { analyzeBoundsCommand } from './analyze-bounds.ts';
import { analyzeClosedFormCommand } from './analyze-closed-form.ts';
import { analyzeCouplingCommand } from './analyze-coupling.ts';
import { analyzeCurvatureCommand } from './analyze-curvature.ts';
import { analyzePruningStabilityCommand } from './analyze-pruning-stability.ts';
import type { CommandContext } from './context.ts';

/** `analyze <what>`: looks into data and trained runs. Each kind of analysis is a command in a file of its own, `analyze-<what>.ts`. */
export function analyzeCommand(context: CommandContext): Command {
  return new Command('analyze')
    .description('look into data and trained runs')
    .addCommand(analyzeBoundsCommand(context))
    .addCommand(analyzeClosedFormCommand(context))
    .addCommand(analyzeCouplingCommand(context))
    .addCommand(analyzeCurvatureCommand(context))
    .addCommand(analyzePruningStabilityCommand(context));
}
