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

/** Products on a runtime; each shape is compiled when it first comes. */
export function engineDotProducts(runtime: Runtime): EngineDotProducts {
  const compiled = new Map<string, Promise<Stepper>>();
  const stepperFor = (shape: readonly number[]) => {
    const key = shape.join(' ');
    const stepper = compiled.get(key) ?? compile(runtime, shape);
    // Behind all others: the shape that was not used for longest stands first.
    compiled.delete(key);
    compiled.set(key, stepper);
    const [oldest] = compiled.keys();
    if (compiled.size > keptShapes) {
      const dropped = compiled.get(oldest);
      compiled.delete(oldest);
      void dropped?.then((one) => one.release());
    }
    return stepper;
  };
  return {
    async products(a, b, elements) {
      const stepper = await stepperFor([a.length / elements, b.length / elements, elements]);
      const { products } = await stepper.run('product', { inputs: { a, b } });
      return products as Float32Array; // a float32 product
    },
    release() {
      for (const stepper of compiled.values()) void stepper.then((one) => one.release());
      compiled.clear();
    },
  };
}
