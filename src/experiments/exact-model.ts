/** The exact field of data where a command takes a model: `closed-form:<data>`, and its settings. */
import { z } from 'zod';
import { ConfigError } from '../errors.ts';
import { usualLastStep } from '../sampling/last-step.ts';
import { describeIssues } from './config-faults.ts';
import { applyOverrides, parseOverride } from './overrides.ts';
import { runtimeSection, samplingSection } from './schema/sampling-section.ts';

const prefix = 'closed-form:';

/** Name or path of the data whose exact field a text asks for; null where the text is the folder of a run. */
export function exactModelSource(model: string): string | null {
  return model.startsWith(prefix) ? model.slice(prefix.length) : null;
}

const exactModelSchema = z.strictObject({
  data: z.strictObject({
    source: z.string().min(1).describe("'fashion', 'portraits', the name of a density, or a path."),
    count: z.int().min(1).nullable().default(null).describe('Data from the start of the set. null: all.'),
    size: z.int().min(1).nullable().default(null).describe('Height and width of images, in pixels. null: as stored.'),
  }),
  lastStep: z
    .number()
    .gt(0)
    .lt(1)
    .default(usualLastStep)
    .describe("Length of the last step, one of Euler's to time 1, where the field is unbounded."),
  sampling: samplingSection,
  runtime: runtimeSection,
});

/** Which exact field, and how it is sampled; complete. */
export type ExactModel = Readonly<z.output<typeof exactModelSchema>>;

/** What makes an exact field another one: its data and its last step. */
export type ExactField = Pick<ExactModel, 'data' | 'lastStep'>;

/**
 * What a solver starts from. By Euler's method any number of evaluations is a number of steps. The cosine grid has short steps near time 1,
 * where the field changes fast: on equal steps, solvers that evaluate at the end of a step (heun, rk4) end at other data there.
 */
function usualSolver(kind: unknown) {
  return kind === 'dopri5' ? { kind } : { kind: kind ?? 'euler', steps: 50, grid: { kind: 'cosine' } };
}

/**
 * The settings of the exact field of some data.
 * @param source  name or path of the data.
 * @param set     changes of the form path=value, made in order.
 * @throws ConfigError with all faults at once.
 */
export function readExactModel(source: string, set: readonly string[] = []): ExactModel {
  const overrides = set.map(parseOverride);
  const kind = overrides.findLast(({ path }) => path.join('.') === 'sampling.solver.kind')?.value;
  const value = applyOverrides({ data: { source }, sampling: { solver: usualSolver(kind) } }, overrides);
  const result = exactModelSchema.safeParse(value);
  const schema = z.toJSONSchema(exactModelSchema, { io: 'input' });
  const faults = result.success ? solverFaults(result.data) : describeIssues(result.error.issues, value, schema);
  if (result.success && faults.length === 0) return result.data;
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  throw new ConfigError(
    `The settings of the exact field of ${source} have ${count}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
  );
}

function solverFaults({ sampling: { solver } }: ExactModel): string[] {
  if (solver.kind !== 'dopri5' || solver.controller === 'per-sample') return [];
  return [
    // Its last step overshoots.
    `Expected \`sampling.solver.controller\` to be per-sample, as the exact field cannot be evaluated beyond time 1; got ${solver.controller}.`,
  ];
}
