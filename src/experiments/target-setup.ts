/** The target of a config over its data, and what it computes with. */
import type { EfmTarget } from '../closed-form/efm-batch.ts';
import type { EfmData, EfmTools } from '../closed-form/efm-data.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { engineDotProducts } from '../engine/dot-products.ts';
import { engineKeptMatrix } from '../engine/kept-matrix.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError } from '../errors.ts';
import { buildTarget } from './build.ts';
import type { RunConfig } from './config.ts';
import type { RunData } from './run-data.ts';

/** A target and what must be given back after its use. */
export interface TargetSetup {
  /** `null`: the path's own velocity. */
  readonly efm: EfmTarget | null;
  close(): Promise<void>;
}

/** The data of a run with their mirror images behind them, where training mirrors. */
export function efmDataOf({ count, elements, labels, mirrored, read }: CouplingData): EfmData {
  return {
    count: mirrored ? 2 * count : count,
    elements,
    labels: mirrored ? Int32Array.from({ length: 2 * count }, (_, number) => labels[number % count]) : labels,
    numbers: (indices, flipped) => indices.map((index, row) => index + (flipped[row] === 1 ? count : 0)),
    read: (numbers) =>
      read(
        numbers.map((number) => number % count),
        Uint8Array.from(numbers, (number) => (number < count ? 0 : 1)),
      ),
  };
}

/** Data of the smallest label that has any. */
function smallestClass(labels: Int32Array): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.min(...counts.values());
}

/** @throws ConfigError if a bank is to hold more data than there are. */
function checkCandidates(candidates: number, { count, labels }: EfmData, labelled: boolean): void {
  const most = labelled ? smallestClass(labels) : count;
  if (candidates <= most) return;
  throw new ConfigError({
    expected: `\`target.candidates\` to be at most the ${most} ${labelled ? 'data of the smallest class' : 'data of the set'}`,
    got: `${candidates}`,
    where: 'experiments/target-setup',
    remedy: labelled ? 'fewer, or a model without labels' : 'fewer',
  });
}

/**
 * The target of a config. Its products have a runtime with a thread of its own, which does not wait for the training's steps; it starts
 * with the first product.
 * @throws ConfigError if it wants more data than there are.
 */
export function openTarget(config: RunConfig, { rows }: Pick<RunData, 'rows'>): TargetSetup {
  const data = efmDataOf(rows);
  if (config.target.kind === 'efm') checkCandidates(config.target.candidates, data, config.model.labels);
  let opened: Promise<Runtime> | null = null;
  const open = () => {
    opened ??= openNativeRuntime({ provider: 'cpu', threads: 1, spinning: false });
    return opened;
  };
  let products: ReturnType<typeof engineDotProducts>['products'] | null = null;
  const tools: EfmTools = {
    async products(a, b, elements) {
      products ??= engineDotProducts(await open()).products;
      return products(a, b, elements);
    },
    openMatrix: async (options) => engineKeptMatrix(await open(), options),
  };
  return {
    efm: buildTarget(config, { data, tools }),
    close: async () => (await opened)?.release(),
  };
}
