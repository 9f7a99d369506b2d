/** Dot products of the rows of host matrices, by the runtime's matrix product, in float32 or float64. */
import { closeGraph } from './graph.ts';
import { emitModel } from './onnx/emit.ts';
import { matmul } from './ops.ts';
import type { Runtime } from './runtime.ts';
import { createStepper, type Stepper } from './stepper.ts';
import { placeholder } from './tensor.ts';
import { tensorType } from './trace.ts';

/** Compiled products that are kept, one a shape; batches come in few shapes. */
const keptShapes = 8;

/** A product of host matrices, and how to give its memory back. */
interface EngineProducts<A extends Float32Array | Float64Array> {
  /** a b^T: [rows, elements] and [columns, elements] give [rows, columns]. Calls are served in order. */
  readonly products: (a: A, b: A, elements: number) => Promise<A>;
  release(): void;
}

export type EngineDotProducts = EngineProducts<Float32Array>;
export type EngineDoubleProducts = EngineProducts<Float64Array>;

type FloatType = 'float32' | 'float64';

async function compile(
  runtime: Runtime,
  dtype: FloatType,
  [rows, columns, elements]: readonly number[],
): Promise<Stepper> {
  const a = placeholder(tensorType([rows, elements], dtype));
  const b = placeholder(tensorType([columns, elements], dtype));
  const graph = closeGraph(Object.entries({ a, b }), [['products', matmul(a, b, { transposeB: true })]]);
  const { provider, channelBlock } = runtime;
  const model = emitModel(graph, { provider, channelBlock });
  return createStepper(runtime, { state: {}, programs: { product: { model } } });
}

/** Products on a runtime; each shape is compiled when it first comes, and those that were not used for longest are dropped. */
function engineProducts<A extends Float32Array | Float64Array>(runtime: Runtime, dtype: FloatType): EngineProducts<A> {
  const compiled = new Map<string, Stepper>();
  let last: Promise<unknown> = Promise.resolve();
  const stepperFor = async (shape: readonly number[]) => {
    const key = shape.join(' ');
    const stepper = compiled.get(key) ?? (await compile(runtime, dtype, shape));
    // Behind all others: the shape that was not used for longest stands first.
    compiled.delete(key);
    compiled.set(key, stepper);
    const [oldest] = compiled.keys();
    if (compiled.size <= keptShapes) return stepper;
    compiled.get(oldest)?.release();
    compiled.delete(oldest);
    return stepper;
  };
  const multiply = async (a: A, b: A, elements: number) => {
    const stepper = await stepperFor([a.length / elements, b.length / elements, elements]);
    const { products } = await stepper.run('product', { inputs: { a, b } });
    return products as A; // a product has the type of its factors
  };
  return {
    products(a, b, elements) {
      // One after the other, so that no shape is dropped that is in use.
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

/** Products in float32. */
export function engineDotProducts(runtime: Runtime): EngineDotProducts {
  return engineProducts(runtime, 'float32');
}

/** Products in float64, on a runtime whose provider has them, as the CPU has. */
export function engineDoubleProducts(runtime: Runtime): EngineDoubleProducts {
  return engineProducts(runtime, 'float64');
}
