/** A trained classifier at work: features and probabilities of images. */
import { constantTensor, softmax } from '../engine/ops.ts';
import type { Runtime } from '../engine/runtime.ts';
import type { Tensor } from '../engine/tensor.ts';
import { mapTree } from '../engine/tree.ts';
import type { ImageShape } from '../metrics/features/feature-network.ts';
import { createImageRunner, keepingLast } from '../metrics/features/image-runner.ts';
import type { ImageClassifier } from '../models/image-classifier.ts';
import { isParameterSpec, type ParameterSpec } from '../models/parameters.ts';

/** Images of one run. */
const BATCH = 100;

export interface Classification {
  /** float32 [count, features]. */
  features(pixels: Uint8Array, shape: ImageShape): Promise<Float32Array>;
  /** float32 [count, classes]. */
  probabilities(pixels: Uint8Array, shape: ImageShape): Promise<Float32Array>;
  release(): void;
}

/**
 * Compiles a classifier with its parameters as constants. Both results of the same images take one pass.
 * @param parameters  values by path.
 */
export function openClassification(
  runtime: Runtime,
  {
    classifier,
    parameters,
  }: { readonly classifier: ImageClassifier; readonly parameters: Readonly<Record<string, Float32Array>> },
): Classification {
  const outputs = (pixels: Tensor) => {
    const tensors = mapTree<ParameterSpec, Tensor>(classifier.parameters, isParameterSpec, (path, { shape }) =>
      constantTensor(parameters[path], shape),
    );
    const { features, scores } = classifier.apply(tensors, pixels);
    return { features, probabilities: softmax(scores) };
  };
  const runner = keepingLast(createImageRunner(runtime, { batch: BATCH, outputs }));
  const resultOf = (name: string) => async (pixels: Uint8Array, shape: ImageShape) =>
    pixels.length === 0 ? new Float32Array(0) : (await runner.run(pixels, shape))[name].slice();
  return { features: resultOf('features'), probabilities: resultOf('probabilities'), release: runner.release };
}
