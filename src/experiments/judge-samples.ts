/** Measures a set of samples: generated or read part by part, their features extracted and kept, then metric by metric. */
import { engineDotProducts, engineDoubleProducts } from '../engine/dot-products.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Metric } from '../metrics/metric.ts';
import type { DotProducts } from '../numerics/dot-products.ts';
import type { DoubleProducts } from '../numerics/double-products.ts';
import type { RunConfig } from './config.ts';
import { type Evidence, type MetricPlan, measureMetric } from './evaluation-metrics.ts';
import { extraction, type OpenReference } from './evaluation-reference.ts';
import { extractSet, type FeatureMap } from './feature-map.ts';
import type { RunEvent } from './run-types.ts';
import type { SampleSet } from './sample-set.ts';
import { workProgress } from './work-progress.ts';

/** Products that end once a signal is aborted. */
export interface MetricTools {
  readonly products: DoubleProducts;
  readonly dotProducts: DotProducts;
  release(): void;
}

/** Opens products on the processor, whatever executes networks: other providers have no float64. @throws RuntimeError */
export async function openMetricTools(settings: RunConfig['runtime'], signal: AbortSignal): Promise<MetricTools> {
  const runtime = await openNativeRuntime({ ...settings, provider: 'cpu' });
  const double = engineDoubleProducts(runtime);
  const single = engineDotProducts(runtime);
  return {
    async products(a, b, elements) {
      signal.throwIfAborted();
      return double.products(a, b, elements);
    },
    async dotProducts(a, b, elements) {
      signal.throwIfAborted();
      return single.products(a, b, elements);
    },
    release() {
      double.release();
      single.release();
      runtime.release();
    },
  };
}

/** What a set is judged by. */
export interface JudgeOptions {
  readonly map: FeatureMap;
  readonly reference: OpenReference;
  readonly plan: MetricPlan;
  readonly tools: MetricTools;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

/** The planned metrics of a set. @throws the signal's reason once it is aborted; NumericalError if a feature is not finite. */
export async function judgeSamples(set: SampleSet, options: JudgeOptions): Promise<readonly Metric[]> {
  const { map, reference, plan, tools, signal, onEvent } = options;
  const how = extraction('samples', { classify: plan.classes, keep: false, signal, onEvent });
  const extracted = await extractSet(set, map, how);
  const evidence: Evidence = {
    generated: extracted.features,
    probabilities: extracted.probabilities,
    labels: extracted.labels,
    ...reference,
    ...tools,
  };
  const progress = workProgress(onEvent, { what: 'metrics', unit: 'metrics' });
  const metrics: Metric[] = [];
  for (const [i, name] of plan.names.entries()) {
    signal.throwIfAborted();
    metrics.push(...(await measureMetric(name, evidence)));
    progress(i + 1, plan.names.length);
  }
  return metrics;
}
