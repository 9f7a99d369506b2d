import { textTable } from '../../report/text-table.ts';
import type { SimulatedRun } from './loom-convergence.ts';

/** What [davtyan:25] claims of the convergence of LOOM (section 4.1, appendix D), held against measured runs. */
export interface ConvergenceClaims {
  /** Reassignments become rarer, in every run of LOOM. */
  readonly reassignmentsFall: boolean;
  /** Every run of LOOM ends below minibatch optimal transport with batches of the same size. */
  readonly belowMinibatch: boolean;
  /** Of two runs that differ in the batch alone, the one with the larger batch ends with the lower cost. */
  readonly largerBatchesEndLower: boolean;
  /** Of two runs that differ in the caches alone, the one with more ends with the higher cost: it converges more slowly. */
  readonly moreCachesEndHigher: boolean;
}

const lastCost = ({ history }: Pick<SimulatedRun, 'history'>) => history.at(-1)!.wholeCost ?? history.at(-1)!.batchCost;

/** Holds the claims against runs; one for which there is nothing to compare is kept. */
export function judgeConvergence(runs: readonly SimulatedRun[]): ConvergenceClaims {
  const looms = runs.flatMap(({ coupling, ...run }) =>
    coupling.kind === 'loom' ? [{ ...run, caches: coupling.caches }] : [],
  );
  const minibatch = runs.filter(({ coupling }) => coupling.kind === 'minibatch-ot');
  const pairs = looms.flatMap((a) => looms.map((b) => [a, b] as const));
  return {
    reassignmentsFall: looms.every(({ history }) => history.at(-1)!.reassigned < history[0]!.reassigned),
    belowMinibatch: looms.every((loom) =>
      minibatch.every((other) => other.batch !== loom.batch || lastCost(loom) < lastCost(other)),
    ),
    largerBatchesEndLower: pairs.every(
      ([a, b]) => a.caches !== b.caches || a.batch >= b.batch || lastCost(a) > lastCost(b),
    ),
    moreCachesEndHigher: pairs.every(
      ([a, b]) => a.batch !== b.batch || a.caches >= b.caches || lastCost(a) < lastCost(b),
    ),
  };
}

/** Epochs that the terminal shows. */
const shownEpochs = [1, 2, 4, 10, 30, 100, 300, 1000];

interface Circumstances extends ConvergenceClaims {
  readonly count: number;
  readonly elements: number;
}

/** Tables and sentences. */
export function convergenceLines(
  runs: readonly SimulatedRun[],
  optimum: { readonly cost: number; readonly seconds: number } | null,
  { count, elements, ...claims }: Circumstances,
): string[] {
  return [
    `Squared distance per pair of ${count} images with ${elements} elements, and rows reassigned in a batch`,
    '',
    ...costTable(runs, optimum?.cost ?? null),
    '',
    ...(optimum === null
      ? []
      : [
          `Global optimum of the kept noises (1 cache), exact: ${optimum.cost.toFixed(2)}, in ${optimum.seconds.toFixed(1)} s.`,
        ]),
    'Costs are of all pairs for loom, of the pairs of an epoch with their standard error for the others.',
    '',
    ...Object.entries(claimTexts).map(
      ([name, text]) => `${claims[name as keyof ConvergenceClaims] ? 'found' : 'NOT FOUND'}: ${text}`,
    ),
  ];
}

const claimTexts: { readonly [C in keyof ConvergenceClaims]: string } = {
  reassignmentsFall: 'reassignments become rarer as training goes on (figures 9 and 11)',
  belowMinibatch: 'the kept exchange ends below minibatch optimal transport with the same batch',
  largerBatchesEndLower: 'larger batches end with a lower cost (figure 10)',
  moreCachesEndHigher: 'more caches converge more slowly, as a larger set does (figure 12)',
};

function costTable(runs: readonly SimulatedRun[], optimum: number | null): string[] {
  const rows = runs.flatMap(({ name, history, coupling: { kind } }) =>
    history
      .filter(({ epoch }) => (kind === 'loom' ? shownEpochs.includes(epoch) : epoch === history.length))
      .map(({ epoch, batchCost, standardError, reassigned, wholeCost }) => {
        const cost = wholeCost ?? batchCost;
        return [
          name,
          kind === 'loom' ? String(epoch) : '',
          wholeCost === null ? `${cost.toFixed(1)} ± ${standardError.toFixed(1)}` : cost.toFixed(1),
          optimum === null ? '' : (cost - optimum).toFixed(1),
          kind === 'independent' ? '' : reassigned.toFixed(0),
        ];
      }),
  );
  return textTable(['coupling', 'epoch', 'cost', 'above optimum', 'reassigned'], rows);
}
