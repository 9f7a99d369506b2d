/** Golden files: numbers from an independent implementation, computed again here section by section. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { DataError } from '../../../errors.ts';
import { replayTimeEmbedding } from './adm-timestep-embedding.ts';
import { replayClosedForm } from './closed-form.ts';
import { replayEfm } from './efm.ts';
import { replayEma } from './ema.ts';
import { replayFrechet } from './frechet.ts';
import { replayGaussianField } from './gaussian-field.ts';
import { replayLoomSim } from './loom-sim.ts';
import { replayLsa } from './lsa.ts';
import { replayMulberry32 } from './mulberry32.ts';
import { replayOdeDopri5 } from './ode-dopri5.ts';
import { replayOdeFixed } from './ode-fixed.ts';
import { replayOt1d } from './ot-1d.ts';
import { replayPrdc } from './prdc.ts';
import { createTally, type Replayer, type SectionResult } from './section.ts';

/** Replayers by the name of their section. Sections without one are skipped. */
export const replayers: Readonly<Record<string, Replayer>> = {
  mulberry32_seed1_first5: replayMulberry32,
  lsa: replayLsa,
  ode_fixed: replayOdeFixed,
  ode_dopri5_torchdiffeq_controller: replayOdeDopri5,
  ot1d: replayOt1d,
  frechet: replayFrechet,
  prdc: replayPrdc,
  ema: replayEma,
  closed_form: replayClosedForm,
  efm: replayEfm,
  gaussian_field: replayGaussianField,
  adm_timestep_embedding_dim8: replayTimeEmbedding,
  loom_sim: replayLoomSim,
};

/** The golden file that comes with flowloom. */
export const ownGoldenFile = fileURLToPath(new URL('../../../../assets/golden/goldens.json', import.meta.url));

/** Number of cases that a section seems to hold. */
function caseCount(section: unknown): number {
  if (Array.isArray(section)) return Math.max(1, section.length);
  const cases = typeof section === 'object' && section !== null && 'cases' in section ? section.cases : null;
  return Array.isArray(cases) ? Math.max(1, cases.length) : 1;
}

/** Replays one section; one of an unknown name is skipped, one of an unknown form has failed. */
export async function replaySection(name: string, section: unknown): Promise<SectionResult> {
  const replay = Object.hasOwn(replayers, name) ? replayers[name]! : null;
  if (replay === null) return { passed: 0, failed: 0, skipped: caseCount(section), worst: null, failures: [] };
  const tally = createTally();
  try {
    await replay(section, tally);
  } catch (error) {
    const reason =
      error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : error;
    const result = tally.result();
    return { ...result, failed: result.failed + 1, failures: [...result.failures, `not replayed: ${reason}`] };
  }
  const result = tally.result();
  if (result.passed + result.failed + result.skipped > 0) return result;
  return { ...result, failed: 1, failures: ['not replayed: it has no case'] };
}

/**
 * Replays a golden file.
 * @returns results by section, in the file's order.
 * @throws DataError if the file cannot be read or is no JSON object.
 */
export async function replayGolden(path: string = ownGoldenFile): Promise<Record<string, SectionResult>> {
  const results: [string, SectionResult][] = [];
  for (const [name, section] of Object.entries(readSections(path))) {
    results.push([name, await replaySection(name, section)]);
  }
  return Object.fromEntries(results);
}

function readSections(path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new DataError({
      expected: `\`${path}\` to be a golden file, in JSON`,
      got: String(cause),
      where: 'doctor',
      cause,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new DataError({
    expected: `\`${path}\` to hold an object of sections`,
    got: JSON.stringify(value).slice(0, 40),
    where: 'doctor',
  });
}
