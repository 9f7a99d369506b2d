/** Semi-discrete optimal transport: every fresh noise has its datum, by potentials that are fitted before training. */
import { ConfigError } from '../errors.ts';
import type { OpenArgmaxProducts } from '../numerics/argmax-products.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { stream } from '../numerics/stream.ts';
import type { Coupling, CouplingBatch, CouplingContext, Pairing, WholeCost } from './coupling.ts';
import { type CellGroups, cellGroups, dataOf, groupImages } from './semidiscrete-cells.ts';
import { chiSquaredOfCounts } from './share-inequality.ts';
import { freshNoise } from './stateless-coupling.ts';
import { alignedCosts } from './transport-cost.ts';
import type { CouplingData } from './whole-cost.ts';

export interface SemidiscreteOptions {
  /** Noises that the potentials are fitted to, for each image. */
  readonly noisesPerImage: number;
  /** Noises for one change of the potentials, an even number; at most a sixteenth of the images are taken. */
  readonly fitBatch: number;
  /** How much a noise lowers the potential of its datum at first, in mean margins between the best two scores of a noise. */
  readonly rate: number;
  /** Noises per image during which that hardly falls; later it falls with their power 3/4. */
  readonly slowing: number;
  /** Whether noises are shared out among the images of each label by themselves, so that each label's noise stays standard normal. */
  readonly perClass: boolean;
  /** Memory that the data may take. */
  readonly memoryBytes: number;
}

export interface SemidiscreteParts {
  readonly options: SemidiscreteOptions;
  readonly data: CouplingData;
  readonly openProducts: OpenArgmaxProducts;
  /** Seed of the run. */
  readonly seed: number;
}

/** Multiplications for one part of the fit: about a second. */
const partMultiplications = 5e10;
/** Parts that a fit has at least, so that it shows where it stands. */
const leastParts = 16;
/** Pairs whose cost is measured, and noises whose collisions are counted: twice the images, within bounds. */
const costPairs = 4096;
const collisionNoises = { least: 4096, most: 65536 };
const blockNoises = 512;

/**
 * The optimal transport between the normal distribution and the finite data set, for the squared distance: noise z is sent to the datum
 * argmin_i |x_i - z|^2 - g_i, with potentials g that give each datum the same share ([peyre:19], section 5; [mousavi:25] for
 * flow matching). Pairs are of fresh noise each time: the source is exactly normal, and the data are uniform up to the inequality of
 * shares that `wholeCost` reports. The data of a batch are ignored and others returned; mirrored images are data of their own.
 *
 * The report counts a row as reassigned if its datum is not that of the batch, and gives as cost before that of the noise with it.
 * With a model with labels `perClass` is needed: a label is drawn by its frequency, and the noise goes to a datum of that label.
 * Costs: a product with all data for each noise; all data in memory.
 * @throws ConfigError if the data do not fit in `memoryBytes`.
 */
export function semidiscreteCoupling(parts: SemidiscreteParts): Coupling {
  const { options, data, seed } = parts;
  checkMemory(parts);
  const groups = groupImages(data, options.perClass);
  const cells = cellGroups(groups, { ...parts, ascent: options });
  const fit = fitOf(cells, parts);
  let measured: { readonly noises: number; readonly whole: Promise<WholeCost> } | null = null;
  return {
    kind: 'semidiscrete',
    preliminary: fit,
    pair: (batch, context) => pair(batch, context, { cells, data }),
    state: cells.state,
    restore: cells.restore,
    wholeCost() {
      // Potentials do not change once they are fitted.
      if (measured?.noises !== fit.done) measured = { noises: fit.done, whole: measure(cells, data, seed) };
      return measured.whole;
    },
  };
}

function checkMemory({ options: { memoryBytes }, data: { count, elements, mirrored } }: SemidiscreteParts): void {
  const bytes = count * (mirrored ? 2 : 1) * elements * Float32Array.BYTES_PER_ELEMENT;
  if (bytes <= memoryBytes) return;
  const mebibytes = (value: number) => `${Math.ceil(value / 2 ** 20)} MiB`;
  throw new ConfigError({
    expected: `the latents of the data to fit in \`coupling.memoryBytes\` = ${mebibytes(memoryBytes)}`,
    got: mebibytes(bytes),
    where: 'coupling/semidiscrete',
    remedy: `a larger \`coupling.memoryBytes\`${mirrored ? ', `data.flip` false' : ''}, smaller images or \`coupling.kind\` loom`,
  });
}

/** The fit, group after group; how much is done at once depends on sizes alone, so that it can be repeated. */
function fitOf(cells: CellGroups, { options, data, seed }: SemidiscreteParts) {
  const plans = cells.groups.map(({ length }) => {
    const batch = 2 * Math.max(1, Math.floor(Math.min(options.fitBatch, length / 16) / 2));
    const changes = Math.ceil((options.noisesPerImage * length) / batch);
    const atOnce = Math.floor(partMultiplications / (length * data.elements * (batch / 2)));
    return { batch, noises: changes * batch, atOnce: Math.max(1, Math.min(atOnce, Math.ceil(changes / leastParts))) };
  });
  const sum = (noises: (group: number) => number) => plans.reduce((all, _, group) => all + noises(group), 0);
  const done = () => sum(cells.noises);
  return {
    total: sum((group) => plans[group]!.noises),
    get done() {
      return done();
    },
    async advance() {
      const group = plans.findIndex(({ noises }, index) => cells.noises(index) < noises);
      if (group < 0) return null;
      const { batch, noises, atOnce } = plans[group]!;
      const { improve } = (await cells.open())[group]!;
      for (let change = 0; change < atOnce && cells.noises(group) < noises; change++) {
        const words = stream(seed, 'semidiscrete-fit', done());
        await improve(Uint32Array.from({ length: batch / 2 }, () => words.uint32()));
      }
      return null;
    },
  };
}

/** Images of noises, each of a group drawn with a probability in proportion to its images. */
async function assign(
  { groups, open }: CellGroups,
  {
    source,
    draws,
    elements,
  }: { readonly source: Float32Array; readonly draws: Uint32Array; readonly elements: number },
): Promise<Uint32Array> {
  const all = await open();
  const images = new Uint32Array(draws.length);
  let first = 0;
  for (const [group, { length }] of groups.entries()) {
    const [start, end] = [first, first + length];
    first = end;
    const rows = Uint32Array.from(draws.keys()).filter((row) => draws[row]! >= start && draws[row]! < end);
    if (rows.length === 0) continue;
    const noise = rows.length === draws.length ? source : new Float32Array(rows.length * elements);
    if (noise !== source) {
      for (const [i, row] of rows.entries())
        noise.set(source.subarray(row * elements, (row + 1) * elements), i * elements);
    }
    const found = await all[group]!.assign(noise);
    for (const [i, row] of rows.entries()) images[row] = found[i]!;
  }
  return images;
}

interface PairParts {
  readonly cells: CellGroups;
  readonly data: CouplingData;
}

/** Places among the images of all groups, one behind the other, drawn uniformly: they stand for the groups that they lie in. */
function drawPlaces(
  rows: number,
  cells: CellGroups,
  [seed, purpose, index]: readonly [number, string, number],
): Uint32Array {
  if (cells.groups.length === 1) return new Uint32Array(rows);
  const images = cells.groups.reduce((sum, { length }) => sum + length, 0);
  const random = stream(seed, purpose, index);
  return Uint32Array.from({ length: rows }, () => random.below(images));
}

async function pair(batch: CouplingBatch, context: CouplingContext, { cells, data }: PairParts): Promise<Pairing> {
  const { count, elements } = data;
  const { seeds, source } = freshNoise(batch, context);
  const draws = drawPlaces(seeds.length, cells, [context.seed, 'semidiscrete-label', context.imagesSeen]);
  const images = await assign(cells, { source, draws, elements });
  const { rows, flipped } = dataOf(images, count);
  const target = await data.read(rows, flipped);
  const cost = alignedCosts('squared', { source, target, elements });
  const costBefore = alignedCosts('squared', { source, target: batch.target, elements });
  const others = rows.filter((row, i) => row !== batch.indices[i] || flipped[i] !== batch.flipped[i]);
  const mean = (costs: Float64Array) => costs.reduce((sum, one) => sum + one, 0) / costs.length;
  return {
    source,
    target,
    labels: Int32Array.from(rows, (row) => data.labels[row]!),
    seeds,
    cost,
    report: { rows: rows.length, reassigned: others.length, costBefore: mean(costBefore), cost: mean(cost) },
  };
}

/** Cost per pair and inequality of shares on a fixed sample of noises, none of which the fit or training draws on purpose. */
async function measure(cells: CellGroups, data: CouplingData, seed: number): Promise<WholeCost> {
  const { count, elements, mirrored } = data;
  const counts = new Uint32Array(count * (mirrored ? 2 : 1));
  const noises = Math.min(Math.max(2 * counts.length, collisionNoises.least), collisionNoises.most);
  const draws = drawPlaces(noises, cells, [seed, 'whole-cost-label', 0]);
  const words = stream(seed, 'whole-cost');
  const costs = new Float64Array(Math.min(costPairs, noises));
  for (let start = 0; start < noises; start += blockNoises) {
    const block = draws.subarray(start, start + blockNoises);
    const source = normalsFromSeeds(
      Uint32Array.from(block, () => words.uint32()),
      elements,
    );
    const images = await assign(cells, { source, draws: block, elements });
    for (const image of images) counts[image]! += 1;
    if (start >= costs.length) continue;
    const { rows, flipped } = dataOf(images, count);
    const target = await data.read(rows, flipped);
    costs.set(alignedCosts('squared', { source, target, elements }), start);
  }
  const cost = costs.reduce((sum, one) => sum + one, 0) / costs.length;
  const variance = costs.reduce((sum, one) => sum + (one - cost) ** 2, 0) / (costs.length - 1);
  return {
    cost,
    standardError: Math.sqrt(variance / costs.length),
    pairs: costs.length,
    chiSquared: chiSquaredOfCounts(counts),
  };
}
