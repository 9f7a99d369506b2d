import { z } from 'zod';
import type { FeatureSet } from '../../../metrics/feature-set.ts';
import { kernelDistance } from '../../../metrics/kernel-distance.ts';
import { memorisationMetrics } from '../../../metrics/memorisation.ts';
import { precisionRecallMetrics } from '../../../metrics/precision-recall.ts';
import { mulberry32Array } from '../../../numerics/mulberry32.ts';
import type { Replayer, Tally } from './section.ts';

const measuresSchema = z.object({
  precision: z.number(),
  recall: z.number(),
  density: z.number(),
  coverage: z.number(),
});
const seededSchema = measuresSchema.extend({
  seed_real: z.int(),
  seed_fake: z.int(),
  fake_rule: z.literal('0.7u+0.1'),
  n_real: z.int().min(2),
  n_fake: z.int().min(2),
  d: z.int().min(1),
  k: z.int().min(1),
  kid_unbiased_poly3_full: z.number(),
  authpct: z.number(),
  mean_nn_ratio_d1_over_d2: z.number(),
  memorised_frac_ratio_lt_1_3: z.number(),
});
const statedSchema = measuresSchema.extend({ kind: z.string() });
const sectionSchema = z.array(z.union([seededSchema, statedSchema])).min(1);

const tolerance = 1e-12;

function featureSet(values: Float64Array, dimensions: number, data: string): FeatureSet {
  return { network: 'golden', hash: null, data, values, dimensions };
}

interface Case {
  readonly name: string;
  readonly real: FeatureSet;
  readonly fake: FeatureSet;
  readonly k: number;
}

async function compareMeasures({ name, real, fake, k }: Case, golden: z.infer<typeof measuresSchema>, tally: Tally) {
  const measured = await precisionRecallMetrics(fake, real, { k });
  for (const key of ['precision', 'recall', 'density', 'coverage'] as const) {
    tally.compare(`${name}, ${key}`, { got: measured[key].value, expected: golden[key], tolerance });
  }
}

async function compareSeeded(golden: z.infer<typeof seededSchema>, tally: Tally): Promise<void> {
  const { seed_real, seed_fake, n_real, n_fake, d, k } = golden;
  const name = `seed ${seed_real}`;
  const real = featureSet(mulberry32Array(seed_real, n_real * d), d, 'real');
  const uniform = mulberry32Array(seed_fake, n_fake * d);
  const fake = featureSet(
    uniform.map((u) => 0.7 * u + 0.1),
    d,
    'fake',
  );
  await compareMeasures({ name, real, fake, k }, golden, tally);
  const { ratio, memorised, authentic } = await memorisationMetrics(fake, real);
  const pairs: readonly (readonly [string, number, number])[] = [
    ['kernel distance', await kernelDistance(fake, real), golden.kid_unbiased_poly3_full],
    ['authentic', authentic.value, golden.authpct],
    ['mean ratio', ratio.value, golden.mean_nn_ratio_d1_over_d2],
    ['memorised', memorised.value, golden.memorised_frac_ratio_lt_1_3],
  ];
  for (const [what, got, expected] of pairs) tally.compare(`${name}, ${what}`, { got, expected, tolerance });
}

/** A case by hand: 'hand: real 0,1,2,3; fake .5,10; k=1 ...', points on the line; null if the text is of another form. */
function statedCase(kind: string): Case | null {
  const found = /^hand: real ([\d.,-]+); fake ([\d.,-]+); k=(\d+)/.exec(kind);
  if (found === null) return null;
  const points = (list: string) => Float64Array.from(list.split(','), Number);
  const [real, fake] = [featureSet(points(found[1]!), 1, 'real'), featureSet(points(found[2]!), 1, 'fake')];
  return { name: 'by hand', real, fake, k: Number(found[3]) };
}

/** Precision, recall, density, coverage, kernel distance, authenticity and ratios of nearest distances; to 1e-12. */
export const replayPrdc: Replayer = async (section, tally) => {
  for (const golden of sectionSchema.parse(section)) {
    if ('seed_real' in golden) {
      await compareSeeded(golden, tally);
      continue;
    }
    const stated = statedCase(golden.kind);
    if (stated === null) tally.skip();
    else await compareMeasures(stated, golden, tally);
  }
};
