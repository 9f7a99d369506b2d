import { textTable } from '../../report/text-table.ts';
import type { HybridAtSwitch, HybridResult } from '../measure-hybrid.ts';
import type { NearnessResult } from '../measure-memorisation.ts';

/** What [bertrand:25] claims of hybrid flows (figure 3), held against measured ones. */
export interface HybridClaims {
  /** The later the switch, the nearer samples are to training data: the mean distance falls from each tau to the next. */
  readonly distanceFalls: boolean;
  /** Most of the network's own samples, tau = 0, are not memorised. */
  readonly networkGeneralises: boolean;
  /** From tau = 0.3 on most samples are memorised: "a model that is not able to generalise". */
  readonly lateSwitchesDoNot: boolean;
}

/** The tau of the paper. */
const claimedTau = 0.3;

/** Holds the claims against a result. */
export function judgeHybrid({ switches }: HybridResult): HybridClaims {
  const late = switches.filter(({ tau }) => tau >= claimedTau - 1e-9);
  const network = switches.find(({ tau }) => tau === 0);
  return {
    distanceFalls: switches.every(
      ({ distance }, i) => i === 0 || distance.mean < switches[i - 1]!.distance.mean || distance.mean < 1e-3,
    ),
    networkGeneralises: network !== undefined && network.memorised.mean < 0.5,
    lateSwitchesDoNot: late.length > 0 && late.every(({ memorised }) => memorised.mean > 0.5),
  };
}

const claimTexts: { readonly [C in keyof HybridClaims]: string } = {
  distanceFalls: 'the later the switch, the nearer samples are to training data',
  networkGeneralises: "most of the network's own samples (tau = 0) are not memorised",
  lateSwitchesDoNot:
    'from tau = 0.3 on most samples are memorised (the paper: "tau >= 0.3 yields a model that is not able to generalise")',
};

interface Circumstances {
  readonly source: string;
  readonly elements: number;
  readonly count: number;
  readonly seconds: number;
  readonly claims: HybridClaims;
}

/** Tables and sentences. */
export function hybridLines(
  { switches, samples, seed }: HybridResult,
  within: NearnessResult,
  { source, elements, count, seconds, claims }: Circumstances,
): string[] {
  const own = within.distance.mean;
  const rows = switches.map(({ tau, distance, memorised, shown }) => [
    tau.toFixed(2),
    `${distance.mean.toFixed(3)} ± ${distance.standardError.toFixed(3)}`,
    (distance.mean / own).toFixed(2),
    `${(100 * memorised.mean).toFixed(0)} %`,
    ...shown.map((value) => value.toFixed(2)),
  ]);
  const noises = switches[0]!.shown.map((_, noise) => `seed ${seed + noise}`);
  const from = (isSo: (one: HybridAtSwitch) => boolean) =>
    switches.find((_, i) => switches.slice(i).every(isSo))?.tau.toFixed(2) ?? 'none';
  return [
    `Distance to the nearest of ${count} training data (${source}, ${elements} elements) of ${samples} samples that follow u* up to tau and the`,
    `network from there on; the mean distance of training data to each other is ${own.toFixed(3)} (figure 3, top)`,
    '',
    ...textTable(['tau', 'mean distance', 'of that', 'memorised', ...noises], rows),
    '',
    'memorised: nearer than a third of the second nearest. The paper shows 256 samples on CIFAR-10 (3,072 elements) and CelebA 64 (12,288), without',
    `numbers. Here most samples are memorised from tau = ${from(({ memorised }) => memorised.mean > 0.5)} on, and nearer to training data than these are to`,
    `each other, in the mean, from tau = ${from(({ distance }) => distance.mean < own)} on.`,
    `In ${seconds.toFixed(0)} s, a training that had to be done included.`,
    '',
    ...Object.entries(claimTexts).map(
      ([name, text]) => `${claims[name as keyof HybridClaims] ? 'found' : 'NOT FOUND'}: ${text}`,
    ),
  ];
}
