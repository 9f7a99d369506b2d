/** The Jacobian of a network's velocity by x, never written out: its products with vectors, by the engine's derivatives. */
import { jacobianVectorProduct, vectorJacobianProduct } from '../engine/gradient.ts';
import { closeGraph, type Graph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import type { Runtime } from '../engine/runtime.ts';
import { elementCount } from '../engine/shape.ts';
import { createStepper } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { isTensor, isTensorType, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import { type NetworkFlowOptions, parameterSpecs, writeParameters } from '../sampling/network-flow.ts';

/** Points and directions of a whole batch, rows aligned. */
export interface JacobianRequest {
  /** Points, float32 [batch, elements]. */
  readonly x: Float32Array;
  /** Times of the points: [batch]. */
  readonly time: Float32Array;
  /** Vectors w, float32 [batch, elements]. */
  readonly direction: Float32Array;
  /** Aborting ends the evaluation with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Products with the Jacobian J = dv(x, t)/dx of each row. */
export interface JacobianImages {
  /** J w, float32 [batch, elements]. */
  readonly image: Float32Array;
  /** J^T J w, float32 [batch, elements]. */
  readonly normal: Float32Array;
}

/** Products with Jacobians. A row's velocity depends on its own x alone, so the rows of a batch are as many Jacobians. */
export interface JacobianProducts {
  /** Rows of every request. */
  readonly batch: number;
  /** Numbers in a row. */
  readonly elements: number;
  /** @throws ShapeError if a request is not a whole batch; RuntimeError if it fails. */
  multiply(request: JacobianRequest): Promise<JacobianImages>;
  release(): void;
}

const PREFIX = 'parameters';

/**
 * J w and J^T J w in one graph. J w is the derivative of the vector-Jacobian product J^T u, linear in u, by its cotangent u along w; the
 * u itself drops out. A model with labels is asked for its null class: the field of all classes together.
 */
export function jacobianGraph({ model, parameterTypes, batch }: Omit<NetworkFlowOptions, 'parameters'>): Graph {
  const parameters = mapTree<TensorType, Tensor>(parameterTypes, isTensorType, (_path, type) => placeholder(type));
  const points = tensorType([batch, ...model.input.shape]);
  const [x, direction] = [placeholder(points), placeholder(points)];
  const time = placeholder(tensorType([batch]));
  const velocity = model.apply(parameters, { x, time, labels: null });
  const image = jacobianVectorProduct(velocity, [x], [direction]);
  const [normal] = vectorJacobianProduct([velocity], [x], [image]);
  const named = flattenTree<Tensor>(parameters, isTensor);
  return closeGraph(
    [
      ...named.map(([path, tensor]): [string, Tensor] => [`${PREFIX}.${path}`, tensor]),
      ['x', x],
      ['time', time],
      ['direction', direction],
    ],
    [
      ['image', image],
      ['normal', normal!],
    ],
  );
}

/**
 * Opens the Jacobians of a network. Its parameters are inputs of the graph, as in sampling.
 * @throws RuntimeError if the graph cannot be compiled.
 */
export async function openJacobianProducts(runtime: Runtime, options: NetworkFlowOptions): Promise<JacobianProducts> {
  const { provider, channelBlock } = runtime;
  const { batch, model } = options;
  const stepper = await createStepper(runtime, {
    state: {
      parameters: parameterSpecs(options),
    },
    programs: { products: { model: emitModel(jacobianGraph(options), { provider, channelBlock }) } },
  });
  await writeParameters(stepper, options);
  return {
    batch,
    elements: elementCount(model.input.shape),
    async multiply({ signal, ...inputs }) {
      signal?.throwIfAborted();
      const { image, normal } = await stepper.run('products', {
        inputs,
        ...(signal === undefined ? {} : { signal }),
      });
      // The graph's outputs have the dtype of x.
      return { image: image as Float32Array, normal: normal as Float32Array };
    },
    release: () => stepper.release(),
  };
}
