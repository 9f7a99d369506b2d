import { textTable } from '../../report/text-table.ts';
import type { AlignmentAtTime, AlignmentResult } from '../measure-alignment.ts';

/** What [bertrand:25] claims of the collapse (figure 1), held against measured sets. */
export interface CollapseClaims {
  /** With 3 x 32 x 32 numbers or more, more than half of the pairs have a cosine above 0.9 at all times from 0.2 on, above 0.99 before. */
  readonly earlyInHighDimension: boolean;
  /** The larger the images, the earlier more than half of the pairs have a cosine above 0.99, and so for a weight above 0.9. */
  readonly fallsWithDimension: boolean;
  /** In few dimensions both come later than with any of the images. */
  readonly lateInFewDimensions: boolean;
}

/** Dimension that the paper speaks of, and the time before which it finds no randomness there. */
const cifar = { elements: 3 * 32 * 32, time: 0.2 } as const;

/** A time that never comes is later than all. */
const orNever = (time: number | null) => time ?? Number.POSITIVE_INFINITY;

/** The two times of the collapse that are not at their limit at time 0. */
const collapses = [
  ({ closeTime }: AlignmentResult) => orNever(closeTime),
  ({ determinedTime }: AlignmentResult) => orNever(determinedTime),
];

/** Holds the claims against sets of images and of points in few dimensions. */
export function judgeCollapse(images: readonly AlignmentResult[], points: AlignmentResult): CollapseClaims {
  const ascending = images.toSorted((a, b) => a.elements - b.elements);
  const large = images.filter(({ elements }) => elements >= cifar.elements);
  return {
    earlyInHighDimension:
      large.length > 0 &&
      large.every(
        ({ times, closeTime }) =>
          orNever(closeTime) < cifar.time && times.every(({ time, aligned }) => time < cifar.time || aligned > 0.5),
      ),
    fallsWithDimension: collapses.every((of) =>
      ascending.every((one, i) => i === 0 || of(one) < of(ascending[i - 1]!)),
    ),
    lateInFewDimensions: collapses.every((of) => images.every((one) => of(one) < of(points))),
  };
}

const claimTexts: { readonly [C in keyof CollapseClaims]: string } = {
  earlyInHighDimension:
    'with 3 x 32 x 32 numbers and more, more than half of the pairs pass 0.99 before t = 0.2, and 0.9 at all times from there on (the paper: "non-stochasticity arises very early (before t = 0.2 for CIFAR-10")',
  fallsWithDimension: 'the larger the images, the earlier it comes, by cosines above 0.99 and by weights',
  lateInFewDimensions: 'in the plane it comes later than with images of any size, by the same two',
};

interface Circumstances {
  readonly seed: number;
  readonly pairs: number;
  readonly seconds: number;
  readonly claims: CollapseClaims;
}

/** Tables and sentences. */
export function collapseLines(
  images: readonly AlignmentResult[],
  points: AlignmentResult,
  { seed, pairs, seconds, claims }: Circumstances,
): string[] {
  const sets = [points, ...images];
  const times = points.times.filter(({ time }) => [0, 0.1, 0.2, 0.3, 0.5].includes(time)).map(({ time }) => time);
  const shares = (of: (one: AlignmentAtTime) => number, result: AlignmentResult) =>
    times.map((time) => `${(100 * of(result.times.find((one) => one.time === time)!)).toFixed(0)} %`);
  const table = (of: (one: AlignmentAtTime) => number, first: (one: AlignmentResult) => number | null) =>
    textTable(
      ['data', 'dimension', 'count', ...times.map((time) => `t = ${time}`), 'more than half from'],
      sets.map((one) => [
        one.name,
        String(one.elements),
        String(one.count),
        ...shares(of, one),
        String(first(one) ?? 'never'),
      ]),
    );
  return [
    `Pairs (${pairs}, seed ${seed}) for which u*(xt, t) and x1 - x0 have a cosine above 0.9, the limit of the paper (figure 1 c)`,
    '',
    ...table(
      ({ aligned }) => aligned,
      ({ collapseTime }) => collapseTime,
    ),
    '',
    'a cosine above 0.99: in many dimensions noise is most of either velocity, and the cosine high at time 0 already',
    '',
    ...table(
      ({ closelyAligned }) => closelyAligned,
      ({ closeTime }) => closeTime,
    ),
    '',
    "a weight of the pair's own datum in u* above 0.9",
    '',
    ...table(
      ({ determined }) => determined,
      ({ determinedTime }) => determinedTime,
    ),
    '',
    'The paper has two moons, CIFAR-10 and Imagenette instead, and gives its figure without numbers.',
    `Measured in ${seconds.toFixed(0)} s.`,
    '',
    ...Object.entries(claimTexts).map(
      ([name, text]) => `${claims[name as keyof CollapseClaims] ? 'found' : 'NOT FOUND'}: ${text}`,
    ),
  ];
}
