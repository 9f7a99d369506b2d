/** Whether a runtime computes in float16, which ONNX Runtime says only when it is asked to. */
import { closeGraph } from './graph.ts';
import { inMixedPrecision } from './mixed-precision.ts';
import { emitModel } from './onnx/emit.ts';
import { matmul } from './ops.ts';
import type { Runtime } from './runtime.ts';
import { createStepper } from './stepper.ts';
import { placeholder } from './tensor.ts';

/**
 * Multiplies two numbers in float16.
 * @returns `null` where that works, otherwise what ONNX Runtime said, e.g. that a WebGPU adapter lacks the feature `shader-f16`.
 */
export async function float16Fault(runtime: Runtime): Promise<string | null> {
  const x = placeholder({ dtype: 'float32', shape: [1, 1] });
  const [y] = inMixedPrecision([matmul(x, x)], [x]);
  const model = emitModel(closeGraph([['x', x]], [['y', y]]), { provider: runtime.provider });
  try {
    const stepper = await createStepper(runtime, { state: {}, programs: { multiply: { model } } });
    try {
      await stepper.run('multiply', { inputs: { x: Float32Array.of(2) } });
    } finally {
      stepper.release();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return null;
}
