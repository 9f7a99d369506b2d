// Checks what the engine emits with onnx.checker, for every example of every primitive and its gradient, on every provider:
//   apt-get install -y python3-onnx
//   node --import tsx scripts/check-onnx.ts [python, default /usr/bin/python3] [folder for the models]
// An onnx that knows opset 21 (1.16 or later) checks everything; an older one what check-onnx.py says.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DType, dtypeFacts } from '../src/engine/dtype.ts';
import { vectorJacobianProduct } from '../src/engine/gradient.ts';
import { closeGraph, type Graph } from '../src/engine/graph.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { onesLike } from '../src/engine/ops.ts';
import type { Example, Primitive } from '../src/engine/primitive.ts';
import { primitives } from '../src/engine/primitives/table.ts';
import type { Provider } from '../src/engine/runtime.ts';
import { applyPrimitive, placeholder, type Tensor } from '../src/engine/tensor.ts';

const isFloat = ({ dtype }: Tensor) => dtypeFacts[dtype].isFloat;

/** The example's outputs and their vector-Jacobian products with ones. */
function exampleGraph(primitive: Primitive, { inputs, attributes }: Example, float: DType): Graph {
  const sources = inputs.map(({ dtype = 'float', shape }) =>
    placeholder({ dtype: dtype === 'float' ? float : dtype, shape }),
  );
  const outputs = applyPrimitive(primitive, sources, attributes);
  const floats = outputs.filter(isFloat);
  const products = vectorJacobianProduct(floats, sources.filter(isFloat), floats.map(onesLike));
  return closeGraph(
    sources.map((x, i) => [`x${i}`, x]),
    [...outputs, ...products].map((y, i) => [`y${i}`, y]),
  );
}

function writeModels(folder: string): number {
  let count = 0;
  const variants: readonly (readonly [Provider, DType])[] = [
    ['cpu', 'float32'],
    ['cpu', 'float64'],
    ['cuda', 'float32'],
    ['webgpu', 'float32'],
  ];
  for (const primitive of primitives) {
    for (const [index, example] of primitive.examples.entries()) {
      for (const [provider, float] of variants) {
        const { bytes } = emitModel(exampleGraph(primitive, example, float), { provider });
        writeFileSync(join(folder, `${primitive.name}-${index}.${provider}.${float}.onnx`), bytes);
        count += 1;
      }
    }
  }
  return count;
}

const [python = '/usr/bin/python3', kept] = process.argv.slice(2);
const folder = kept ?? mkdtempSync(join(tmpdir(), 'flowloom-onnx-'));
mkdirSync(folder, { recursive: true });
console.log(`${writeModels(folder)} models`);
const checker = fileURLToPath(new URL('check-onnx.py', import.meta.url));
const { status, error } = spawnSync(python, [checker, folder], { stdio: 'inherit' });
if (kept === undefined) rmSync(folder, { recursive: true });
if (error) throw error;
process.exitCode = status ?? 1;
