/** Runs a traced function over any number of images, a batch at a time. */
import { emitModel } from '../../engine/onnx/emit.ts';
import type { Runtime } from '../../engine/runtime.ts';
import { createStepper, type Stepper } from '../../engine/stepper.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { tensorType, trace } from '../../engine/trace.ts';
import { FlowError } from '../../errors.ts';
import { type ImageShape, imagesIn } from './feature-network.ts';

const where = 'metrics/features/image-runner';

/** One row an image, by the names of the function's outputs: float32 [count, ...]. */
export type ImageResults = Readonly<Record<string, Float32Array>>;

export interface ImageRunner {
  /** @param pixels  uint8 [count, ...shape], which must not change before the promise is kept. */
  run(pixels: Uint8Array, shape: ImageShape): Promise<ImageResults>;
  release(): void;
}

export interface ImageFunction {
  /** Images of one run; the last run of a call is filled up with black ones. */
  readonly batch: number;
  /** Outputs, float32 [batch, ...], of uint8 [batch, channels, height, width]. Weights are constants. */
  readonly outputs: (pixels: Tensor) => Readonly<Record<string, Tensor>>;
}

async function compile(runtime: Runtime, { batch, outputs }: ImageFunction, shape: ImageShape): Promise<Stepper> {
  const graph = trace(({ pixels }) => outputs(pixels), { pixels: tensorType([batch, ...shape], 'uint8') });
  // No blocked layout of ours: with constant kernels ONNX Runtime chooses layouts and fuses better by itself.
  const model = emitModel(graph, { provider: runtime.provider, channelBlock: null });
  return createStepper(runtime, { state: {}, programs: { images: { model } } });
}

async function runBatches(
  stepper: Stepper,
  { pixels, count, batch }: { readonly pixels: Uint8Array; readonly count: number; readonly batch: number },
): Promise<ImageResults> {
  const size = pixels.length / count;
  const results: Record<string, Float32Array> = {};
  for (let start = 0; start < count; start += batch) {
    const images = new Uint8Array(batch * size);
    images.set(pixels.subarray(start * size, (start + batch) * size));
    const outputs = await stepper.run('images', { inputs: { pixels: images } });
    for (const [name, values] of Object.entries(outputs)) {
      const rows = values as Float32Array; // outputs are float32
      const length = rows.length / batch;
      results[name] ??= new Float32Array(count * length);
      results[name].set(rows.subarray(0, Math.min(batch, count - start) * length), start * length);
    }
  }
  return results;
}

/** Runs the function on images. Each shape is compiled when it first comes; calls are served one after the other. */
export function createImageRunner(runtime: Runtime, images: ImageFunction): ImageRunner {
  const compiled = new Map<string, Stepper>();
  let released = false;
  let last: Promise<unknown> = Promise.resolve();
  const checkOpen = () => {
    if (released) throw new FlowError({ expected: 'features to be in use', got: 'released ones', where });
  };
  const stepperFor = async (shape: ImageShape) => {
    const key = shape.join(' ');
    const stepper = compiled.get(key) ?? (await compile(runtime, images, shape));
    if (released) stepper.release();
    else compiled.set(key, stepper);
    return stepper;
  };
  const run: ImageRunner['run'] = async (pixels, shape) => {
    const count = imagesIn(pixels, shape, where);
    checkOpen();
    const stepper = await stepperFor(shape);
    checkOpen();
    return runBatches(stepper, { pixels, count, batch: images.batch });
  };
  return {
    run(pixels, shape) {
      const turn = last.then(() => run(pixels, shape));
      last = turn.catch(() => {});
      return turn;
    },
    release() {
      released = true;
      for (const stepper of compiled.values()) stepper.release();
      compiled.clear();
    },
  };
}

/** Keeps the results of the last call, so that features and probabilities of the same images take one pass. */
export function keepingLast(runner: ImageRunner): ImageRunner {
  let kept: { readonly pixels: Uint8Array; readonly shape: string; readonly results: Promise<ImageResults> } | null =
    null;
  return {
    run(given, shape) {
      const key = shape.join(' ');
      if (kept?.shape === key && Buffer.compare(kept.pixels, given) === 0) return kept.results;
      const pixels = given.slice();
      const entry = { pixels, shape: key, results: runner.run(pixels, shape) };
      kept = entry;
      entry.results.catch(() => {
        if (kept === entry) kept = null;
      });
      return entry.results;
    },
    release() {
      kept = null;
      runner.release();
    },
  };
}
