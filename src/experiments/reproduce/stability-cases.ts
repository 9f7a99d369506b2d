/** The data and sizes of the figures on stability under pruning in [briq:26]. */
import { measurePruning } from '../measure-pruning.ts';
import { pruningCsv, writeTexts } from '../pruning-files.ts';
import { type PruningCase, type PruningMethod, type PruningResult, synthMixture } from '../pruning-request.ts';
import type { PreparedReproduction, ReproductionOutcome, ReproductionRequest, Scale } from './reproduction.ts';

/** Sizes of the measurements. */
export interface StabilitySize {
  /** Points of the mixture; the paper's CelebA-HQ has 28,000 images. */
  readonly mixtureCount: number;
  /** Images of the real set from its start on; null: all. */
  readonly realCount: number | null;
  readonly noises: number;
  readonly steps: number;
  /** Noises of the table of what the claim depends on. */
  readonly dependenceNoises: number;
}

/** Sizes by scale; 1,000 noises as in the paper, which tells no number of steps. */
export const stabilitySizes: { readonly [S in Scale]: StabilitySize } = {
  laptop: { mixtureCount: 4000, realCount: 4000, noises: 1000, steps: 100, dependenceNoises: 500 },
  paper: { mixtureCount: 28_000, realCount: null, noises: 1000, steps: 100, dependenceNoises: 1000 },
};

/** Fractions of figures 2 and 8. */
export const stabilityFractions: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** What the paper removes where it varies something else: figure 9, and the numbers of figure 8. */
export const statedFraction = 0.8;

/** What a case shares with the others. */
type Shared = PruningMethod & Pick<PruningCase, 'fractions'>;

/** The mixture with something changed. */
export function mixtureCase(
  name: string,
  shared: Shared,
  change: Partial<{ readonly [K in keyof typeof synthMixture]: number }>,
): PruningCase {
  return { name, data: { kind: 'mixture', ...synthMixture, ...change }, kept: [], ...shared };
}

/** The synthetic and the real data of figures 2 and 8: real images in place of the latents of CelebA-HQ. */
export function mainCases({ scale, seed, data }: ReproductionRequest): PruningCase[] {
  const { mixtureCount, realCount, noises, steps } = stabilitySizes[scale];
  const shared: Shared = { seed, noises, solver: 'euler', steps, fractions: stabilityFractions };
  const source = data ?? 'fashion';
  return [
    mixtureCase('mixture', shared, { count: mixtureCount }),
    { name: source, data: { kind: 'set', source, count: realCount }, kept: [], ...shared },
  ];
}

/** What a figure makes of its measurements. */
export interface StabilityReport extends Pick<ReproductionOutcome, 'lines' | 'agrees'> {
  /** Each claim of the paper, and whether it was found. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Charts by file name. */
  readonly charts: Readonly<Record<string, string>>;
}

/** A figure: what is measured for it, and what is made of that. Files: `<name>.json`, `<name>.csv` and the charts. */
export interface StabilityFigure {
  readonly name: string;
  readonly seed: number;
  readonly cases: readonly PruningCase[];
  report(results: readonly PruningResult[]): StabilityReport;
}

/** A figure, ready to be measured. */
export function prepareStability({ name, seed, cases, report }: StabilityFigure): PreparedReproduction {
  return {
    settings: { seed, cases },
    async run(context) {
      const began = performance.now();
      const runs = await measurePruning(cases, context);
      const { lines, agrees, claims, charts } = report(runs);
      const seconds = (performance.now() - began) / 1000;
      const result = { seed, seconds, claims, runs };
      const paths = writeTexts(context.directory, {
        [`${name}.json`]: `${JSON.stringify(result, null, 2)}\n`,
        [`${name}.csv`]: pruningCsv(runs),
        ...charts,
      });
      return { lines, agrees, paths, result };
    },
  };
}
