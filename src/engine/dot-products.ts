/** Dot products of the rows of host matrices, by the runtime's matrix product. */
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
export interface EngineDotProducts {
  /** a b^T: float32 [rows, elements] and [columns, elements] give [rows, columns]. Calls are served in order. */
  readonly products: (a: Float32Array, b: Float32Array, elements: number) => Promise<Float32Array>;
  release(): void;
}

async function compile(runtime: Runtime, [rows, columns, elements]: readonly number[]): Promise<Stepper> {
  const a = placeholder(tensorType([rows, elements]));
  const b = placeholder(tensorType([columns, elements]));
  const graph = closeGraph(
    [
      ['a', a],
      ['b', b],
    ],
    [['products', matmul(a, b, { transposeB: true })]],
  );
  const { provider, channelBlock } = runtime;
  const model = emitModel(graph, { provider, channelBlock });
  return createStepper(runtime, { state: {}, programs: { product: { model } } });
}

/** Products on a runtime; each shape is compiled when it first comes, and those that were not used for longest are dropped. */
export function engineDotProducts(runtime: Runtime): EngineDotProducts {
  const compiled = new Map<string, Stepper>();
  let last: Promise<unknown> = Promise.resolve();
  const stepperFor = async (shape: readonly number[]) => {
    const key = shape.join(' ');
    const stepper = compiled.get(key) ?? (await compile(runtime, shape));
    // Behind all others: the shape that was not used for longest stands first.
    compiled.delete(key);
    compiled.set(key, stepper);
    const [oldest] = compiled.keys();
    if (compiled.size <= keptShapes) return stepper;
    compiled.get(oldest)?.release();
    compiled.delete(oldest);
    return stepper;
  };
  const multiply = async (a: Float32Array, b: Float32Array, elements: number) => {
    const stepper = await stepperFor([a.length / elements, b.length / elements, elements]);
    const { products } = await stepper.run('product', { inputs: { a, b } });
    return products as Float32Array; // a float32 product
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
