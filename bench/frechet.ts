import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineDoubleProducts } from '../src/engine/dot-products.ts';
import { statisticsOfGaussian } from '../src/metrics/feature-statistics.ts';
import { frechetDistance } from '../src/metrics/frechet-distance.ts';
import type { DoubleProducts } from '../src/numerics/double-products.ts';
import { covarianceOf, momentsOfRows } from '../src/numerics/moments.ts';
import { stream } from '../src/numerics/stream.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { besidePeer } from './compare.ts';
import { contender, interleave } from './interleave.ts';
import { isMissing, openScipy, type Peer } from './peer.ts';

/** Two samples, each with its own random directions. */
interface Problem {
  readonly d: number;
  /** Images of each sample; fewer than d + 1 give singular covariances. */
  readonly n: number;
  /** Direction k has the standard deviation (k + 1)^-decay. */
  readonly decay: number;
  readonly seed: number;
}

interface Gaussian {
  readonly count: number;
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** Mean and covariance of n rows of normal numbers, scaled by direction and then turned by a random reflection. */
async function sample({ d, n, decay, seed }: Problem, which: number, products: DoubleProducts): Promise<Gaussian> {
  const random = stream(seed, 'bench-frechet', which);
  const axis = Float64Array.from({ length: d }, () => random.normal());
  const squares = axis.reduce((sum, value) => sum + value * value, 0);
  const rows = new Float64Array(n * d);
  for (let start = 0; start < rows.length; start += d) {
    let along = 0;
    for (let k = 0; k < d; k++) {
      rows[start + k] = random.normal() * (k + 1) ** -decay + 0.1 * which;
      along += rows[start + k] * axis[k];
    }
    for (let k = 0; k < d; k++) rows[start + k] -= (2 * along * axis[k]) / squares;
  }
  const moments = await momentsOfRows(rows, { dimensions: d, products });
  return { count: n, mean: moments.mean, covariance: covarianceOf(moments) };
}

type Pair = readonly [Gaussian, Gaussian];

async function distanceOf([first, second]: Pair, products: DoubleProducts): Promise<number> {
  const origin = { network: 'bench', hash: null };
  const a = await statisticsOfGaussian(first, { ...origin, data: 'first' }, { products });
  const b = await statisticsOfGaussian(second, { ...origin, data: 'second' }, { products });
  return (await frechetDistance(a, b, { products })).distance;
}

/** Gives the peer the Gaussians. @returns its distances. */
async function buildPeer(peer: Peer, pairs: readonly Pair[]): Promise<readonly number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-bench-'));
  try {
    const gaussians = pairs.map(([first, second], i) => {
      const file = join(folder, `${i}.f64`);
      for (const part of [first.mean, second.mean, first.covariance, second.covariance]) {
        writeFileSync(file, new Uint8Array(part.buffer, part.byteOffset, part.byteLength), { flag: 'a' });
      }
      return { d: first.mean.length, file };
    });
    return (await peer.build({ gaussians })).results ?? [];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface FrechetCase {
  readonly problems: readonly Problem[];
  readonly rounds: number;
  readonly onlyByName?: boolean;
}

function frechetCase(name: string, { problems, rounds, onlyByName = false }: FrechetCase): BenchCase {
  async function measure(context: BenchContext): Promise<CaseResult> {
    const engine = engineDoubleProducts(await context.openRuntime());
    try {
      return await measureWith(context, engine.products);
    } finally {
      engine.release();
    }
  }
  async function measureWith(context: BenchContext, products: DoubleProducts): Promise<CaseResult> {
    const pairs: Pair[] = [];
    for (const problem of problems) {
      context.progress(`${name}: samples in ${problem.d} dimensions`);
      pairs.push([await sample(problem, 0, products), await sample(problem, 1, products)]);
    }
    const distances: number[] = [];
    for (const pair of pairs) distances.push(await distanceOf(pair, products));
    const ours = contender(async () => {
      for (const pair of pairs) await distanceOf(pair, products);
    });
    const peer = await context.peer();
    const expected = isMissing(peer) ? null : await buildPeer(peer, pairs);
    const timings = await interleave(isMissing(peer) ? { ours } : { ours, peer }, {
      rounds: context.rounds ?? rounds,
      progress: (text) => context.progress(`${name}: ${text}`),
    });
    const errors = expected?.map((value, i) => Math.abs(distances[i] - value) / Math.abs(value)) ?? [];
    return {
      ...besidePeer(name, peer, timings),
      details: {
        quartilesMs: timings.ours.quartilesMs,
        ...(isMissing(peer) ? {} : { peerQuartilesMs: timings.peer.quartilesMs }),
        turns: timings.ours.turns,
        distances: distances.map((value) => value.toPrecision(12)).join(' '),
        ...(errors.length === 0 ? {} : { largestRelativeDifference: Math.max(...errors).toExponential(1) }),
      },
    };
  }
  return { name, onlyByName, measure };
}

/** Dimensions of the random cases; counts of images and spectra go round beside them. */
const randomDimensions = [
  64, 96, 128, 160, 192, 256, 320, 384, 448, 512, 600, 700, 768, 900, 1024, 1152, 1280, 1536, 1792, 2048,
];
const imagesPerDimension = [1.2, 2, 5];
const decays = [0, 0.5, 1, 0.25];

/** Fréchet distances from means and covariances. */
export const frechet: Bench = {
  name: 'frechet',
  summary: "Fréchet distances beside SciPy's matrix root",
  notes:
    'Time from two means and covariances to the distance; products in float64 by the engine. Samples of 2 d normal rows whose standard deviations ' +
    'fall as k^-0.5; `random` are 20 problems with 1.2, 2 or 5 d rows and deviations k^0 to k^-1, in one run. SciPy takes the trace of ' +
    'sqrtm(S1 S2). `singular` has 64 rows in 512 dimensions, where the root of a singular matrix has no digits to spare.',
  openPeer: openScipy,
  cases: [
    ...[64, 128, 256, 512, 768, 1024, 2048].map((d) =>
      frechetCase(`d${d}`, { problems: [{ d, n: 2 * d, decay: 0.5, seed: d }], rounds: d > 1000 ? 3 : 7 }),
    ),
    frechetCase('random', {
      problems: randomDimensions.map((d, i) => ({
        d,
        n: Math.ceil(d * imagesPerDimension[i % 3]),
        decay: decays[i % 4],
        seed: 100 + i,
      })),
      rounds: 1,
      onlyByName: true,
    }),
    frechetCase('singular', { problems: [{ d: 512, n: 64, decay: 0.5, seed: 1 }], rounds: 3, onlyByName: true }),
    frechetCase('tiny', { problems: [{ d: 16, n: 40, decay: 0.5, seed: 2 }], rounds: 1, onlyByName: true }),
  ],
};
