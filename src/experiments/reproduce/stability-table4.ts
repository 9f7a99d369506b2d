/** Table 4 of "Exploring and Exploiting Stability in Latent Flow Matching" [briq:26] with small networks in pixels. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { analyzeBounds } from '../analyze-bounds.ts';
import type { BoundsOutcome, BoundsPlan, PointsKind } from '../bounds-request.ts';
import { writeWhole } from '../run-directory.ts';
import type { PreparedReproduction, Reproduction, ReproductionContext, Scale } from './reproduction.ts';
import { judgeBounds, table4Csv, table4Lines } from './stability-table4-report.ts';
import { type TrainedVariant, trainVariants, type VariantSettings } from './stability-table4-runs.ts';

/** All that the numbers depend on. */
export interface Table4Settings extends VariantSettings {
  readonly plan: Omit<BoundsPlan, 'points' | 'seed'>;
}

const plan = { tolerance: 0.02, maxIterations: 200, ema: true } as const;
/** The form of `fashion-unet`, without labels. */
const unet = {
  kind: 'unet',
  blocks: 1,
  attention: [],
  middle: false,
  skips: 'sum',
  resample: 'pooling',
  groups: 8,
} as const;

/** The paper's networks and data need days on several GPUs; the larger scale here is what one processor does in an hour. */
const scaled: { readonly [S in Scale]: Pick<Table4Settings, 'images' | 'model' | 'plan'> } = {
  laptop: {
    images: 25_600,
    model: { ...unet, channels: [16, 32, 48], headChannels: 16 },
    plan: { ...plan, times: 10, samples: 256, jacobians: 64, matched: 256 },
  },
  paper: {
    images: 128_000,
    model: { ...unet, channels: [32, 64, 96], headChannels: 32 },
    plan: { ...plan, times: 20, samples: 1000, jacobians: 256, matched: 1000 },
  },
};

/** Table 4 on images with classes, half of which are left out where the paper leaves out half of its clusters. */
export const stabilityTable4: Reproduction = ({ scale, seed, data }) =>
  prepareTable4({ seed, source: data ?? 'fashion', runtime: {}, ...scaled[scale] });

/** The reproduction with settings of one's own. */
export function prepareTable4(settings: Table4Settings): PreparedReproduction {
  return {
    settings: { ...settings },
    async run(context) {
      const variants = await trainVariants(settings, context, (rate) => imagesOfAnalysis(settings) / rate);
      const began = performance.now();
      const heldOut = await boundsAt('held-out', settings, { context, variants });
      const training = await boundsAt('training', settings, { context, variants });
      const seconds = (performance.now() - began) / 1000;
      const claims = judgeBounds(heldOut);
      const { seed, images } = settings;
      const table = { heldOut, training };
      const result = { ...settings, seconds, claims, variants: variants.map(factsOf), ...table };
      return {
        lines: table4Lines(table, variants, { ...claims, seconds, seed, images }),
        agrees: Object.values(claims).every(Boolean),
        paths: [
          ...writeTable(context, { 'table4.json': json(result), 'table4.csv': table4Csv(table, variants) }),
          ...heldOut.paths,
          ...training.paths,
        ],
        result,
      };
    },
  };
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const factsOf = ({ name, directory, data, classes }: TrainedVariant) => ({ name, directory, data, classes });

/** Training images that take as long as the analysis, as a step is about three calls of the network for each. */
function imagesOfAnalysis({ plan: { times, samples, jacobians, matched } }: Table4Settings): number {
  const calls = 2 * (3 * times * samples + 54 * times * jacobians) + 3 * 40 * matched;
  return calls / 3;
}

interface Surroundings {
  readonly context: ReproductionContext;
  readonly variants: readonly TrainedVariant[];
}

/** Bounds of all networks against the exact field of all data, with the Lipschitz constants of the one that saw all. */
function boundsAt(
  points: PointsKind,
  { plan: measured, seed }: Table4Settings,
  { context, variants }: Surroundings,
): Promise<BoundsOutcome> {
  const runs = variants.map(({ directory, config: { sampling, runtime } }) => ({ directory, sampling, runtime }));
  const { directory, signal, onEvent } = context;
  return analyzeBounds({
    ...measured,
    // The samples are the same whatever the points.
    matched: points === 'held-out' ? measured.matched : 0,
    points,
    seed,
    runs,
    reference: runs[0]!.directory,
    lipschitzFrom: runs[0]!,
    outDirectory: join(directory, points),
    signal,
    onEvent,
  });
}

function writeTable({ directory }: ReproductionContext, files: Readonly<Record<string, string>>): string[] {
  mkdirSync(directory, { recursive: true });
  return Object.entries(files).map(([name, text]) => {
    const path = join(directory, name);
    writeWhole(path, text);
    return path;
  });
}
