/** Figure 3 of the closed form of flow matching [bertrand:25]: samples that follow the exact field first and a network then. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageStack, writeImageGrid } from '../../data/image-grid.ts';
import { ConfigError } from '../../errors.ts';
import { memorisedBelow } from '../../numerics/nearest-ratio.ts';
import { pictureOf } from '../analyze-closed-form.ts';
import { hybridTexts, writeTexts } from '../closed-form-files.ts';
import { parseConfig, type RunConfig } from '../config.ts';
import { type HybridResult, measureHybrid } from '../measure-hybrid.ts';
import { measureWithin, type NearnessResult } from '../measure-memorisation.ts';
import { withTrainedField } from '../trained-field.ts';
import { openTrainedRun, type TrainedRun } from '../trained-run.ts';
import { hybridLines, judgeHybrid } from './efm-fig3-report.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext, Scale } from './reproduction.ts';
import { reusedRun } from './reused-run.ts';
import { smallUnet } from './small-unet.ts';

/** All that the numbers depend on. */
export interface HybridSettings {
  readonly seed: number;
  /** Folder of a trained run; null: the reproduction trains one by `config`. */
  readonly run: string | null;
  /** The run that is trained; null where there is one. */
  readonly config: RunConfig | null;
  readonly switches: readonly number[];
  readonly samples: number;
}

/** The paper has 256 samples. */
const samplesAt: { readonly [S in Scale]: number } = { laptop: 64, paper: 256 };
const networkAt = { laptop: smallUnet([32, 64, 96], 44_800), paper: smallUnet([64, 128, 192], 6_400_000) } as const;

/** The figure on fashion, or with `--data <run folder>` on the network and the data of a run. */
export const efmFig3: Reproduction = ({ scale, seed, data }) => {
  if (data !== null && !existsSync(data)) {
    throw new ConfigError({
      expected: '--data to be the folder of a trained run, for this figure',
      got: data,
      where: 'reproduce',
      remedy: 'to leave it out: the figure then trains a network of its own',
    });
  }
  const name = `fashion-seed-${seed}`;
  const own = { name, seed, data: { kind: 'images', source: 'fashion' }, ...networkAt[scale] };
  return prepareHybrid({
    seed,
    run: data,
    config: data === null ? parseConfig(own, name) : null,
    switches: Array.from({ length: 11 }, (_, k) => k / 10),
    samples: samplesAt[scale],
  });
};

async function openRun({ run, config }: HybridSettings, context: ReproductionContext): Promise<TrainedRun> {
  if (run !== null || config === null) return openTrainedRun(run ?? '');
  return reusedRun(config, join(context.directory, 'runs', config.name), context);
}

interface Measured {
  readonly hybrid: HybridResult;
  readonly within: NearnessResult;
  readonly picture: (ImageStack & { readonly columns: number }) | null;
  readonly facts: { readonly source: string; readonly elements: number; readonly count: number };
}

async function measure(settings: HybridSettings, context: ReproductionContext): Promise<Measured> {
  const run = await openRun(settings, context);
  const { switches, samples, seed } = settings;
  const threshold = memorisedBelow;
  return withTrainedField(run, { ema: true }, async (trained) => {
    const { result, shown } = await measureHybrid(trained, { ...context, switches, samples, seed, threshold });
    const within = await measureWithin(trained, { ...context, threshold });
    const { elements, count } = trained.rows;
    const picture = await pictureOf(trained.data, shown, switches.length);
    return { hybrid: result, within, picture, facts: { source: trained.data.name, elements, count } };
  });
}

/** The reproduction with settings of one's own. */
export function prepareHybrid(settings: HybridSettings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const began = performance.now();
      const { hybrid, within, picture, facts } = await measure(settings, context);
      const claims = judgeHybrid(hybrid);
      const seconds = (performance.now() - began) / 1000;
      const result = { ...settings, ...facts, seconds, claims, hybrid, within };
      const json = `${JSON.stringify(result, null, 2)}\n`;
      const paths = writeTexts(context.directory, { 'hybrid.json': json, ...hybridTexts(hybrid, within) });
      if (picture !== null) {
        const path = join(context.directory, 'hybrid.png');
        await writeImageGrid(path, picture, { columns: picture.columns });
        paths.push(path);
      }
      return {
        lines: hybridLines(hybrid, within, { ...facts, seconds, claims }),
        agrees: Object.values(claims).every(Boolean),
        paths,
        result,
      };
    },
  };
}
