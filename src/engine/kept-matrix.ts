/** Products with a matrix that stays in the runtime's memory. */
import { closeGraph } from './graph.ts';
import { emitModel } from './onnx/emit.ts';
import { matmul } from './ops.ts';
import type { Runtime } from './runtime.ts';
import { createStepper } from './stepper.ts';
import { placeholder } from './tensor.ts';
import { tensorType } from './trace.ts';

/** A matrix D, float32 [count, elements], that is multiplied with `batch` rows at a time. */
export interface KeptMatrix {
  /** x D^T: float32 [batch, elements] gives [batch, count]. */
  products(x: Float32Array): Promise<Float32Array>;
  /** w D: float32 [batch, count] gives [batch, elements]. */
  combinations(weights: Float32Array): Promise<Float32Array>;
  release(): void;
}

export interface KeptMatrixOptions {
  /** float32 [count, elements]; copied. */
  readonly values: Float32Array;
  readonly elements: number;
  /** Rows of every request. */
  readonly batch: number;
}

/** Keeps a matrix on a runtime and compiles its two products. @throws RuntimeError if it cannot be allocated. */
export async function engineKeptMatrix(runtime: Runtime, options: KeptMatrixOptions): Promise<KeptMatrix> {
  const { values, elements, batch } = options;
  const count = values.length / elements;
  const rows = placeholder(tensorType([count, elements]));
  const x = placeholder(tensorType([batch, elements]));
  const weights = placeholder(tensorType([batch, count]));
  const { provider, channelBlock } = runtime;
  const program = (graph: Parameters<typeof emitModel>[0]) => ({ model: emitModel(graph, { provider, channelBlock }) });
  const product = matmul(x, rows, { transposeB: true });
  const combination = matmul(weights, rows);
  const stepper = await createStepper(runtime, {
    state: { rows: [{ name: 'rows', dtype: 'float32', shape: [count, elements] }] },
    programs: {
      products: program(closeGraph(Object.entries({ rows, x }), [['result', product]])),
      combinations: program(closeGraph(Object.entries({ rows, weights }), [['result', combination]])),
    },
  });
  await stepper.writeState({ rows: values });
  const run = async (name: string, inputs: Readonly<Record<string, Float32Array>>) =>
    (await stepper.run(name, { inputs })).result as Float32Array; // as the graphs' outputs are
  return {
    products: (some) => run('products', { x: some }),
    combinations: (some) => run('combinations', { weights: some }),
    release: () => stepper.release(),
  };
}
