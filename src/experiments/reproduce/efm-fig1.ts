/** Figure 1 of the closed form of flow matching [bertrand:25]: when the target of training stops being random. */
import { alignmentTexts, writeTexts } from '../closed-form-files.ts';
import { openFieldData, resizedData } from '../field-data.ts';
import { type AlignmentResult, measureAlignment } from '../measure-alignment.ts';
import { collapseLines, judgeCollapse } from './efm-fig1-report.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext } from './reproduction.ts';

/** All that the numbers depend on. */
export interface CollapseSettings {
  readonly seed: number;
  /** Images. */
  readonly source: string;
  /** Images from the start of the set; null for all. */
  readonly count: number | null;
  /** Pixels, ascending. */
  readonly sizes: readonly number[];
  /** Points in few dimensions to compare with. */
  readonly contrast: string;
  readonly contrastCount: number;
  readonly pairs: number;
  /** Times k / times. */
  readonly times: number;
}

/**
 * The figure with its 256 pairs and times k/100; the paper has two moons, CIFAR-10 and Imagenette, here are two moons and portraits. Both
 * scales are the same.
 */
export const efmFig1: Reproduction = ({ seed, data }) =>
  prepareCollapse({
    seed,
    source: data ?? 'portraits',
    count: null,
    sizes: [8, 16, 32, 64],
    contrast: 'two-moons',
    contrastCount: 10_000,
    pairs: 256,
    times: 100,
  });

async function measureAll(settings: CollapseSettings, context: ReproductionContext): Promise<AlignmentResult[]> {
  const { source, sizes, count, contrast, contrastCount, pairs, seed } = settings;
  const times = Array.from({ length: settings.times }, (_, k) => k / settings.times);
  const images = await openFieldData(source, { count });
  const points = await openFieldData(contrast, { count: contrastCount });
  const sets = [points, ...sizes.map((size) => resizedData(images, size))];
  const results: AlignmentResult[] = [];
  for (const set of sets) results.push(await measureAlignment(set, { ...context, pairs, times, seed }));
  return results;
}

/** The reproduction with settings of one's own. */
export function prepareCollapse(settings: CollapseSettings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const began = performance.now();
      const [points, ...images] = await measureAll(settings, context);
      const claims = judgeCollapse(images, points!); // one for each set
      const seconds = (performance.now() - began) / 1000;
      const result = { ...settings, seconds, claims, contrastResult: points, results: images };
      const json = `${JSON.stringify(result, null, 2)}\n`;
      return {
        lines: collapseLines(images, points!, { ...settings, seconds, claims }),
        agrees: Object.values(claims).every(Boolean),
        paths: writeTexts(context.directory, { 'collapse.json': json, ...alignmentTexts([points!, ...images]) }),
        result,
      };
    },
  };
}
