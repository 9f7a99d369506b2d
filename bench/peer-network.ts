/** Networks of ONNX files as the peers read them: a list of nodes and one file of weights. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importOnnx } from '../src/engine/onnx/import-model.ts';
import type { FileAttribute } from '../src/engine/onnx/model-record.ts';
import { readModel } from '../src/engine/onnx/read-model.ts';
import { decodeTensor } from '../src/engine/onnx/read-tensor.ts';

function attributeValue({ kind, int, float, ints, string }: FileAttribute): unknown {
  if (kind === 'int') return Number(int);
  if (kind === 'float') return float;
  if (kind === 'ints') return ints.map(Number);
  return Buffer.from(string).toString('utf8');
}

/** Writes graph.json and weights.f32 into a folder; the network has one input and one output, and float32 constants. */
export function writePeerNetwork(bytes: Uint8Array, folder: string): void {
  const { inputs, outputs } = importOnnx(bytes);
  const { graph } = readModel(bytes);
  const weights = graph.initializers.map((tensor) =>
    decodeTensor(tensor, () => {
      throw new Error('no weights beside the file');
    }),
  );
  const description = {
    input: inputs[0]!.name,
    output: outputs[0]!.name,
    weights: graph.initializers.map(({ name, shape }) => [name, shape]),
    nodes: graph.nodes.map(({ opType, inputs: from, outputs: [output], attributes }) => ({
      op: opType,
      inputs: from,
      output,
      attributes: Object.fromEntries(attributes.map((one) => [one.name, attributeValue(one)])),
    })),
  };
  writeFileSync(join(folder, 'graph.json'), JSON.stringify(description));
  const parts = weights.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  writeFileSync(join(folder, 'weights.f32'), Buffer.concat(parts));
}
