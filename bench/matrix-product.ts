/** One float32 matrix product by the engine: the yardstick of all rates. */
import { graphFlops } from '../src/engine/graph-flops.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { matmul } from '../src/engine/ops.ts';
import type { Runtime } from '../src/engine/runtime.ts';
import { elementCount, type Shape } from '../src/engine/shape.ts';
import { tensorType, trace } from '../src/engine/trace.ts';
import { stream } from '../src/numerics/stream.ts';
import { type Contender, contender } from './interleave.ts';

export interface Product {
  /** Shapes as stored, [..., rows, columns]. */
  readonly a: Shape;
  readonly b: Shape;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

export interface MeasuredProduct extends Contender {
  readonly flops: number;
  /** Shape of the result. */
  readonly output: Shape;
  release(): void;
}

/** What `fractionOfGemm` refers to. */
export const yardstick: Product = { a: [1024, 1024], b: [1024, 1024] };

/** The product on random matrices that stay in the runtime's memory. */
export async function matrixProduct(runtime: Runtime, { a, b, ...transposes }: Product): Promise<MeasuredProduct> {
  const graph = trace((inputs) => ({ y: matmul(inputs.a, inputs.b, transposes) }), {
    a: tensorType(a),
    b: tensorType(b),
  });
  const model = emitModel(graph, { provider: runtime.provider });
  const session = await runtime.createSession(model);
  const tensors = Object.fromEntries(
    [...model.inputs, ...model.outputs].map((spec) => [spec.name, runtime.allocate(spec)]),
  );
  const random = stream(0, 'bench-product');
  for (const { name, shape } of model.inputs) {
    tensors[name].write(Float32Array.from({ length: elementCount(shape) }, () => random.uniformFloat32() - 0.5));
  }
  const binding = session.bind({ a: tensors.a, b: tensors.b }, { y: tensors.y });
  return {
    flops: graphFlops(graph),
    output: model.outputs[0].shape,
    ...contender(() => session.run(binding)),
    release() {
      session.release();
      binding.release();
      for (const tensor of Object.values(tensors)) tensor.release();
    },
  };
}
