import { encodeModel } from '../onnx/model-proto.ts';
import type { Runtime, TensorSpec } from '../runtime.ts';

/** As many channels as the widest block has. */
const channels = 16;

/**
 * How many channels ONNX Runtime keeps together in its blocked layout on this processor, found by reordering a picture of two pixels
 * whose elements are their own offsets; `null` where it has no such layout.
 */
export async function findChannelBlock(runtime: Pick<Runtime, 'allocate' | 'createSession'>): Promise<number | null> {
  const specs = ['x', 'y'].map((name): TensorSpec => ({ name, dtype: 'float32', shape: [1, channels, 1, 2] }));
  const [x, y] = specs.map((spec) => runtime.allocate(spec));
  try {
    const session = await runtime.createSession({ bytes: reorderingModel(specs), inputs: [x.spec], outputs: [y.spec] });
    const binding = session.bind({ x }, { y });
    x.write(Float32Array.from({ length: 2 * channels }, (_, offset) => offset));
    await session.run(binding);
    // The second pixel of the first channel follows the first pixels of its block.
    const block = Array.from(y.read(), Number).indexOf(1);
    session.release();
    binding.release();
    return block > 1 ? block : null;
  } catch {
    // A build without the layout refuses the operator: convolutions then do without it, with the same results.
    return null;
  } finally {
    x.release();
    y.release();
  }
}

function reorderingModel([x, y]: readonly TensorSpec[]): Uint8Array {
  const reorder = {
    opType: 'ReorderInput',
    domain: 'com.microsoft.nchwc',
    name: 'reorder',
    inputs: ['x'],
    outputs: ['y'],
    attributes: [{ name: 'channels_last', int: 0 }],
  };
  return encodeModel({ name: 'reorder', nodes: [reorder], inputs: [x], outputs: [y], initializers: [] });
}
