/** Metrics of samples along a training: when they are due, which evaluation is the best, and when there has been none for too long. */
import type { Metric } from '../metrics/metric.ts';

export interface EvaluationEvent {
  readonly kind: 'evaluation';
  readonly imagesSeen: number;
  readonly metrics: readonly Metric[];
  /** Whether it is the best so far; absent where nobody asks. */
  readonly best?: boolean;
}

/** How evaluations are compared, and what follows. */
export interface BestRule {
  /** Name of the metric's value. */
  readonly metric: string;
  readonly better: 'lower' | 'higher';
  /** Whether the checkpoint of the best stays. */
  readonly keep: boolean;
  /** Evaluations without a better one after which training stops; `null`: never. */
  readonly patience: number | null;
}

/** The best evaluation of a run. */
export interface BestEvaluation {
  readonly imagesSeen: number;
  readonly metric: string;
  readonly value: number;
}

export interface EvaluationOptions {
  readonly everyImages: number;
  /** Metrics of samples by the averaged parameters as they are. @throws the signal's reason once it is aborted. */
  readonly measure: () => Promise<readonly Metric[]>;
  readonly best: BestRule | null;
  /** What was evaluated before, if the run goes on: its state. */
  readonly past: readonly EvaluationEvent[];
}

/** Whether a multiple of `every` lies in (before, after]. */
export function passed(every: number, before: number, after: number): boolean {
  return Math.floor(after / every) > Math.floor(before / every);
}

/** The first of the best evaluations, and how many came after it; `null` if there is none. */
export function bestOf(
  events: readonly EvaluationEvent[],
  { metric, better }: Pick<BestRule, 'metric' | 'better'>,
): (BestEvaluation & { readonly later: number }) | null {
  let best: BestEvaluation | null = null;
  let at = 0;
  for (const [i, { imagesSeen, metrics }] of events.entries()) {
    const value = metrics.find(({ name }) => name === metric)?.value;
    if (value === undefined) continue;
    if (best !== null && !(better === 'lower' ? value < best.value : value > best.value)) continue;
    best = { imagesSeen, metric, value };
    at = i;
  }
  return best === null ? null : { ...best, later: events.length - 1 - at };
}

/** The evaluations of a run. */
export interface Evaluations {
  /** Whether one is due after the step from `before` to `imagesSeen` images, and was not made yet. */
  isDue(before: number, imagesSeen: number): boolean;
  /** Makes one. @returns its event; `null` if the signal aborted it, which leaves it due. */
  make(imagesSeen: number): Promise<EvaluationEvent | null>;
  /** The best so far, where one is to be kept; `null` otherwise. */
  readonly kept: BestEvaluation | null;
  /** Whether there has been no better one for as long as the rule is patient. */
  readonly exhausted: boolean;
}

/** Evaluations that are never due. */
const none: Evaluations = { isDue: () => false, make: async () => null, kept: null, exhausted: false };

/**
 * The evaluations of a run of `images` images.
 * @param options  `null` for none.
 */
export function trackEvaluations(
  options: EvaluationOptions | null,
  { images, signal }: { readonly images: number; readonly signal?: AbortSignal },
): Evaluations {
  if (options === null) return none;
  const { everyImages, measure, best: rule, past } = options;
  const events = [...past];
  const best = () => (rule === null ? null : bestOf(events, rule));
  const measured = async () => {
    try {
      return await measure();
    } catch (error) {
      if (signal?.aborted === true) return null;
      throw error;
    }
  };
  return {
    isDue: (before, imagesSeen) =>
      imagesSeen > 0 &&
      (imagesSeen >= images || passed(everyImages, before, imagesSeen)) &&
      !events.some((event) => event.imagesSeen === imagesSeen),
    async make(imagesSeen) {
      const metrics = await measured();
      if (metrics === null) return null;
      events.push({ kind: 'evaluation', imagesSeen, metrics });
      return { ...events.at(-1)!, ...(rule === null ? {} : { best: best()?.imagesSeen === imagesSeen }) };
    },
    get kept() {
      const found = best();
      if (rule?.keep !== true || found === null) return null;
      const { later: _later, ...kept } = found;
      return kept;
    },
    get exhausted() {
      return rule !== null && rule.patience !== null && (best()?.later ?? 0) >= rule.patience;
    },
  };
}
