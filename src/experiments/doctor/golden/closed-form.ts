import { z } from 'zod';
import { engineClosedForm } from '../../../closed-form/engine-closed-form.ts';
import { hostClosedForm } from '../../../closed-form/host-closed-form.ts';
import { openNativeRuntime } from '../../../engine/native/native-runtime.ts';
import { mulberry32Array } from '../../../numerics/mulberry32.ts';
import type { Replayer, Tally } from './section.ts';

const caseSchema = z.object({
  seed_x: z.number(),
  x_rule: z.literal('3u-1.5'),
  t: z.number(),
  v: z.array(z.number()),
  lam_max: z.number(),
  argmax: z.int(),
  logsumexp: z.number(),
});

const sectionSchema = z.object({
  seed_data: z.number(),
  data_rule: z.literal('4u-2'),
  n: z.int().min(1),
  d: z.int().min(1),
  cases: z.array(caseSchema).min(1),
});

/** What is compared of a field's answer at one point. */
interface Answer {
  readonly velocity: ArrayLike<number>;
  readonly logSumExp: Float64Array;
  readonly largestWeight: Float64Array;
  readonly nearest: Int32Array;
}

function compare(tally: Tally, what: string, { answer, expected, tolerance }: Comparison): void {
  const pairs: readonly (readonly [string, number, number])[] = [
    ...expected.v.map((value, k) => [`coordinate ${k}`, answer.velocity[k]!, value] as const),
    ['log-sum-exp', answer.logSumExp[0]!, expected.logsumexp],
    ['largest weight', answer.largestWeight[0]!, expected.lam_max],
    ['nearest datum', answer.nearest[0]!, expected.argmax],
  ];
  for (const [name, got, value] of pairs) {
    tally.compare(`${what} at time ${expected.t}, ${name}`, { got, expected: value, tolerance });
  }
}

interface Comparison {
  readonly answer: Answer;
  readonly expected: z.infer<typeof caseSchema>;
  readonly tolerance: number;
}

/** Data and points rounded to float32, at times up to 0.99. */
const roundedTolerance = 1e-5;

/**
 * The exact field of 40 points, with its log-sum-exp, largest weight and nearest datum: by the formula in float64 to 1e-12 whatever the
 * blocks, and by the engine in float32.
 */
export const replayClosedForm: Replayer = async (section, tally) => {
  const { seed_data, n, d, cases } = sectionSchema.parse(section);
  const values = mulberry32Array(seed_data, n * d).map((u) => 4 * u - 2);
  const read = (first: number, rows: number) => Promise.resolve(values.slice(first * d, (first + rows) * d));
  const engine = await engineClosedForm(await openNativeRuntime({ threads: 1, spinning: false }), {
    count: n,
    elements: d,
    read: async (first, rows) => Float32Array.from(await read(first, rows)),
  });
  try {
    for (const expected of cases) {
      const x = mulberry32Array(expected.seed_x, d).map((u) => 3 * u - 1.5);
      const time = Float64Array.of(expected.t);
      for (const blockRows of [1, 7, n]) {
        const host = hostClosedForm({ count: n, elements: d, read }, { blockRows });
        const answer = await host.evaluate(Float64Array.from(x), time);
        compare(tally, `float64, ${blockRows} rows a block,`, { answer, expected, tolerance: 1e-12 });
      }
      const answer = await engine.evaluate(Float32Array.from(x), time);
      compare(tally, 'float32', { answer, expected, tolerance: roundedTolerance });
    }
  } finally {
    engine.release();
  }
};
