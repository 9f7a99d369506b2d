/** Prepares the inputs of steps: batches from the data, paired with noise one step or several at a time. */
import type { CouplingBatch, PairingReport } from '../coupling/coupling.ts';
import {
  type LatentBatch,
  type LatentBatches,
  type PreparationParts,
  type PreparedBatch,
  prepareBatch,
} from './batches.ts';
import type { StepParts } from './step.ts';

/** How batches become steps. */
export interface PreparationOptions {
  readonly parts: Pick<StepParts, 'batch' | 'accumulate'>;
  readonly preparation: PreparationParts;
}

/** Opens the data at a number of images. */
export type OpenBatches = (imagesSeen: number) => LatentBatches;

/** The steps of a run, in their order. */
export interface StepSource {
  /** Batches of the step that starts at a number of images seen; each step is asked for once, after the one before. */
  step(imagesSeen: number): Promise<PreparedBatch[]>;
  /** Image files that could not be read. */
  readonly skipped: number;
  close(): Promise<void>;
}

/** Images that are paired at once. */
function pairedImages({ parts, preparation }: PreparationOptions): number {
  return parts.batch * parts.accumulate * (preparation.pairingSteps ?? 1);
}

/** One array of the rows of all. */
function joined<A extends Float32Array | Int32Array | Uint32Array | Uint8Array>(arrays: readonly A[]): A {
  const [first] = arrays;
  if (arrays.length === 1) return first;
  // The arrays' own type, long enough for all.
  const whole = new (first.constructor as new (length: number) => A)(arrays.reduce((sum, one) => sum + one.length, 0));
  let start = 0;
  for (const array of arrays) {
    whole.set(array, start);
    start += array.length;
  }
  return whole;
}

function joinBatches(batches: readonly LatentBatch[]): LatentBatch {
  return {
    target: joined(batches.map(({ target }) => target)),
    labels: joined(batches.map(({ labels }) => labels)),
    indices: joined(batches.map(({ indices }) => indices)),
    flipped: joined(batches.map(({ flipped }) => flipped)),
  };
}

/** The next `images` images as one batch; they are a multiple of the source's own batches. */
export async function readGroup(source: LatentBatches, images: number): Promise<LatentBatch> {
  const batches: LatentBatch[] = [];
  for (let rows = 0; rows < images; rows += batches[0].labels.length) batches.push(await source.next());
  return joinBatches(batches);
}

/** Pairs the images from `start` on and cuts them into batches; the change to the coupling is committed with the last of them. */
async function pairGroup(
  group: LatentBatch,
  start: number,
  { parts, preparation }: PreparationOptions,
): Promise<PreparedBatch[]> {
  const { coupling, seed } = preparation;
  const imagesSeen = start + (coupling.preliminaryImages ?? 0);
  const { source, target, labels, report, commit = () => {} } = await coupling.pair(group, { seed, imagesSeen });
  const elements = target.length / labels.length;
  const count = labels.length / parts.batch;
  const batches: PreparedBatch[] = [];
  for (let index = 0; index < count; index++) {
    const [begin, end] = [index * parts.batch, (index + 1) * parts.batch];
    const rows = {
      source: source.subarray(begin * elements, end * elements),
      target: target.subarray(begin * elements, end * elements),
      labels: labels.subarray(begin, end),
      indices: group.indices.subarray(begin, end),
      flipped: group.flipped.subarray(begin, end),
    };
    const prepared = await prepareBatch(rows, start + begin, preparation);
    batches.push({ ...prepared, commit: index === count - 1 ? commit : () => {}, report });
  }
  return batches;
}

/**
 * The steps of a run from `imagesSeen` on. Where several steps are paired at once, the group that holds `imagesSeen` is paired again
 * from its beginning, as its change to the coupling is not yet part of a checkpoint's state.
 * @param range  images seen so far, and in the whole run.
 */
export function openSteps(
  open: OpenBatches,
  { imagesSeen, images }: { readonly imagesSeen: number; readonly images: number },
  options: PreparationOptions,
): StepSource {
  const { parts, preparation } = options;
  const groupImages = pairedImages(options);
  const stepImages = parts.batch * parts.accumulate;
  const groupOf = (position: number) => Math.floor(position / groupImages) * groupImages;
  const source = open(groupOf(imagesSeen) + (preparation.coupling.preliminaryImages ?? 0));
  const groups = new Map<number, Promise<PreparedBatch[]>>();
  let last: Promise<unknown> = Promise.resolve();
  const prepared = (start: number) => {
    const known = groups.get(start);
    if (known !== undefined) return known;
    const group = last.then(async () => pairGroup(await readGroup(source, groupImages), start, options));
    // A fault is thrown where the group is awaited.
    last = group.catch(() => {});
    groups.set(start, group);
    return group;
  };
  return {
    async step(position) {
      const start = groupOf(position);
      const batches = await prepared(start);
      for (const old of groups.keys()) if (old < start) groups.delete(old);
      // Pairing many steps takes long: it goes on while all the steps of the group before run.
      const next = start + groupImages;
      if (groupImages > stepImages && next < images) prepared(next);
      const first = (position - start) / parts.batch;
      return batches.slice(first, first + parts.accumulate);
    },
    get skipped() {
      return source.skipped;
    },
    close: () => source.close(),
  };
}

/** Where the work before the first step stands. */
export interface PreliminaryProgress {
  readonly done: number;
  readonly total: number;
  readonly report: PairingReport | null;
}

/**
 * The coupling's work before the network's first step: one value where it begins, and one after each part of it.
 * Breaking off loses at most the part in progress: the rest is in the coupling's state.
 */
export async function* preliminarySteps(
  open: OpenBatches,
  options: PreparationOptions,
): AsyncGenerator<PreliminaryProgress> {
  const { preliminary } = options.preparation.coupling;
  if (preliminary === undefined || preliminary.done >= preliminary.total) return;
  const source = open(preliminary.done);
  const next = (): Promise<CouplingBatch> => readGroup(source, pairedImages(options));
  const { total } = preliminary;
  try {
    yield { done: preliminary.done, total, report: null };
    while (preliminary.done < total) {
      const report = await preliminary.advance(next);
      yield { done: preliminary.done, total, report };
    }
  } finally {
    await source.close();
  }
}
