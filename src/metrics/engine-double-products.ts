/** Float64 products of host matrices by the runtime, for covariances and their factors. */
import { closeGraph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { matmul } from '../engine/ops.ts';
import type { Runtime } from '../engine/runtime.ts';
import { createStepper, type Stepper } from '../engine/stepper.ts';
import { placeholder } from '../engine/tensor.ts';
import { tensorType } from '../engine/trace.ts';
import type { DoubleProducts } from '../numerics/double-products.ts';

/** Compiled products that are kept, one a shape. */
const keptShapes = 4;

/** Products on a runtime, and how to give their memory back. */
export interface EngineDoubleProducts {
  /** a b^T. Calls are served in order. */
  readonly products: DoubleProducts;
  release(): void;
}

async function compile(runtime: Runtime, [rows, columns, elements]: readonly number[]): Promise<Stepper> {
  const a = placeholder(tensorType([rows, elements], 'float64'));
  const b = placeholder(tensorType([columns, elements], 'float64'));
  const inputs = [['a', a] as const, ['b', b] as const].map(([name, value]): [string, typeof a] => [name, value]);
  const graph = closeGraph(inputs, [['products', matmul(a, b, { transposeB: true })]]);
  const { provider, channelBlock } = runtime;
  const model = emitModel(graph, { provider, channelBlock });
  return createStepper(runtime, { state: {}, programs: { product: { model } } });
}

/**
 * Float64 products on a runtime whose provider has them, as the CPU has; a shape is compiled when it first comes (some 20 ms),
 * and those that were not used for longest are dropped.
 */
export function engineDoubleProducts(runtime: Runtime): EngineDoubleProducts {
  const compiled = new Map<string, Stepper>();
  let last: Promise<unknown> = Promise.resolve();
  const multiply = async (a: Float64Array, b: Float64Array, elements: number) => {
    const shape = [a.length / elements, b.length / elements, elements];
    const key = shape.join(' ');
    const stepper = compiled.get(key) ?? (await compile(runtime, shape));
    compiled.delete(key);
    compiled.set(key, stepper);
    const { products } = await stepper.run('product', { inputs: { a, b } });
    const [oldest] = compiled.keys();
    if (compiled.size > keptShapes) {
      compiled.get(oldest)?.release();
      compiled.delete(oldest);
    }
    return products as Float64Array; // a float64 product
  };
  return {
    products(a, b, elements) {
      const turn = last.then(() => multiply(a, b, elements));
      last = turn.catch(() => {});
      return turn;
    },
    release() {
      for (const stepper of compiled.values()) stepper.release();
      compiled.clear();
    },
  };
}
