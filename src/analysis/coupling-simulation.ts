/** A coupling at work on a data set without any network: what it makes of the noises, epoch by epoch. */
import type { Coupling, CouplingBatch, PairingReport } from '../coupling/coupling.ts';
import { alignedCosts, type CostKind } from '../coupling/transport-cost.ts';
import { ConfigError } from '../errors.ts';

/** A coupling at the end of an epoch; costs are means per pair. */
export interface SimulatedEpoch {
  /** Epochs so far, from 1 on. */
  readonly epoch: number;
  /** Cost of the pairs that the epoch's batches were given. */
  readonly batchCost: number;
  /** Standard error of `batchCost`, from the spread of the batches' means. */
  readonly standardError: number;
  /** Rows reassigned in a batch, mean over the epoch. */
  readonly reassigned: number;
  /** Cost of all pairs that the coupling keeps; `null` where it keeps none. */
  readonly wholeCost: number | null;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
  /** Images in an epoch. */
  readonly count: number;
  readonly cost: CostKind;
  /** Batches in the data order from the start, without end. */
  readonly next: () => Promise<CouplingBatch>;
  /** Cost of all pairs that the coupling keeps, asked for after each epoch. */
  readonly wholeCost: (() => Promise<number>) | null;
  readonly signal?: AbortSignal;
  /** Called after each batch with the images paired so far. */
  readonly onBatch?: (images: number) => void;
}

interface Tally {
  readonly costs: number[];
  readonly reassigned: number[];
}

function epochOf(epoch: number, { costs, reassigned }: Tally, wholeCost: number | null): SimulatedEpoch {
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const batchCost = mean(costs);
  const variance = costs.reduce((sum, one) => sum + (one - batchCost) ** 2, 0) / Math.max(1, costs.length - 1);
  return {
    epoch,
    batchCost,
    standardError: Math.sqrt(variance / costs.length),
    reassigned: mean(reassigned),
    wholeCost,
  };
}

/** Mean cost of a pairing's rows. */
function meanCost(
  {
    report,
    source,
    target,
  }: { readonly report: PairingReport | null; readonly source: Float32Array; readonly target: Float32Array },
  { cost, batch }: SimulationOptions,
): number {
  if (report !== null) return report.cost;
  const costs = alignedCosts(cost, { source, target, elements: target.length / batch });
  return costs.reduce((sum, one) => sum + one, 0) / batch;
}

/**
 * Pairs the data epoch after epoch. Batches run across the ends of epochs, as in training; a batch counts for the epoch in which it
 * begins.
 * @throws ConfigError if the epoch is shorter than a batch; the signal's reason when it is aborted.
 */
export async function* simulateCoupling(
  coupling: Coupling,
  options: SimulationOptions,
): AsyncGenerator<SimulatedEpoch> {
  const { seed, epochs, batch, count, next, wholeCost, signal, onBatch = () => {} } = options;
  if (batch > count) {
    throw new ConfigError({ expected: `\`batch\` to be at most the set's ${count} images`, got: String(batch) });
  }
  for (let epoch = 1, images = 0; epoch <= epochs; epoch++) {
    const tally: Tally = { costs: [], reassigned: [] };
    for (; images < epoch * count; images += batch) {
      signal?.throwIfAborted();
      const pairing = await coupling.pair(await next(), { seed, imagesSeen: images });
      pairing.commit?.();
      tally.costs.push(meanCost(pairing, options));
      tally.reassigned.push(pairing.report?.reassigned ?? 0);
      onBatch(images + batch);
    }
    yield epochOf(epoch, tally, wholeCost === null ? null : await wholeCost());
  }
}
