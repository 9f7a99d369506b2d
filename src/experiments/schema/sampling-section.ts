/** Config sections `sampling` and `runtime`: how samples are made, and what executes the graphs. */
import { z } from 'zod';

const grid = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('uniform').describe('Equal steps.') }),
    z.strictObject({ kind: z.literal('cosine').describe('Steps that are short at both ends.') }),
    z.strictObject({
      kind: z.literal('shifted'),
      shift: z.number().gt(0).default(3).describe('Above 1: shorter steps near the noise, as large images want.'),
    }),
    // [karras:22], eq. (5).
    z.strictObject({
      kind: z.literal('rho'),
      rho: z.number().gt(0).default(7).describe('1: equal steps of the noise level; more: shorter steps near data.'),
      sigmaMin: z.number().gt(0).default(0.002).describe('Smallest noise level before the data.'),
      sigmaMax: z.number().gt(0).default(80).describe('Largest noise level.'),
    }),
  ])
  .prefault({ kind: 'uniform' })
  .describe('Times at which the solver stops.');

const fixedSteps = { steps: z.int().min(1).max(100_000).default(20).describe('Steps from noise to data.'), grid };

const tolerance = z.number().gt(0).default(1e-5);

const dopri5 = z.strictObject({
  kind: z.literal('dopri5'),
  relativeTolerance: tolerance.describe("Error allowed in a step, relative to the state's magnitude."),
  absoluteTolerance: tolerance.describe('Error allowed in a step at magnitude 0.'),
  maxEvaluations: z.int().min(8).default(10_000).describe('Most evaluations of a sample.'),
  controller: z
    .enum(['per-sample', 'torchdiffeq'])
    .default('per-sample')
    .describe("Who shares step sizes: nobody, or the whole batch as in torchdiffeq (to compare with papers' numbers)."),
});

const solver = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('euler'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('midpoint'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('heun'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('ralston'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('heun3'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('rk4'), ...fixedSteps }),
    z.strictObject({ kind: z.literal('rk4-38'), ...fixedSteps }),
    dopri5,
  ])
  .prefault({ kind: 'midpoint' })
  .describe('Solver of the flow.');

/** Section `sampling`. */
export const samplingSection = z
  .strictObject({
    solver,
    guidance: z
      .number()
      .nullable()
      .default(null)
      // [ho:22], with the weight counted from 1 = off.
      .describe(
        'Weight of the label: 1 is the plain model, more exaggerates. null: off, one evaluation instead of two.',
      ),
    batchSize: z.int().min(1).max(65_536).default(64).describe('Samples that are made together; changes no sample.'),
    perClass: z.int().min(1).default(10).describe('Samples of a class in the grid at the end of a run.'),
    classes: z
      .int()
      .min(1)
      .nullable()
      .default(10)
      .describe('Classes in that grid, spread evenly where there are more. null: all.'),
  })
  .prefault({})
  .describe('How samples are made.');

/** Section `runtime`. */
export const runtimeSection = z
  .strictObject({
    provider: z.enum(['cpu', 'webgpu', 'cuda']).default('cpu').describe('Where ONNX Runtime executes the graphs.'),
    threads: z.int().min(1).max(1024).nullable().default(null).describe('Threads. null: one for each physical core.'),
    spinning: z
      .boolean()
      .default(true)
      .describe(
        'Whether threads spin while they wait: up to twice as fast alone on a machine, a waste where others want the cores.',
      ),
  })
  .prefault({})
  .describe('What executes the graphs.');
