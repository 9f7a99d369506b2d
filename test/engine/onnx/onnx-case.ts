/** Test cases in ONNX's own form: a model, and folders of inputs and outputs as serialised tensors. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dtypeFacts } from '../../../src/engine/dtype.ts';
import { closeGraph, type Graph } from '../../../src/engine/graph.ts';
import { interpret } from '../../../src/engine/interpreter.ts';
import { type ImportedModel, importOnnx } from '../../../src/engine/onnx/import-model.ts';
import { knownTensor } from '../../../src/engine/onnx/known-values.ts';
import { type DecodedTensor, parseTensor } from '../../../src/engine/onnx/read-tensor.ts';
import type { Runtime } from '../../../src/engine/runtime.ts';
import { formatShape, sameShape } from '../../../src/engine/shape.ts';
import { placeholder, type Tensor } from '../../../src/engine/tensor.ts';
import { DataError } from '../../../src/errors.ts';
import { executeGraph } from '../execute-graph.ts';

export interface OnnxCase {
  readonly path: string;
  readonly inputs: readonly DecodedTensor[];
  readonly outputs: readonly DecodedTensor[];
}

function readTensors(folder: string, kind: 'input' | 'output'): DecodedTensor[] {
  const count = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`)).length;
  return Array.from({ length: count }, (_, i) => parseTensor(readFileSync(join(folder, `${kind}_${i}.pb`))));
}

/** A case's first data set. @throws DataError if an input or output is no tensor of numbers. */
export function readCase(folder: string): OnnxCase {
  const data = join(folder, 'test_data_set_0');
  return {
    path: join(folder, 'model.onnx'),
    inputs: readTensors(data, 'input'),
    outputs: readTensors(data, 'output'),
  };
}

/** Which inputs are constants while tracing: none, those that hold integers or bools, or all. */
export const levels = ['none', 'integers', 'all'] as const;
export type Level = (typeof levels)[number];

/** The cases store bfloat16 as the bits of uint16. */
function asDeclared(tensor: DecodedTensor, elementType: string): DecodedTensor {
  if (elementType !== 'bfloat16' || tensor.dtype !== 'int32') return tensor;
  const words = Uint32Array.from(tensor.values as Int32Array, (bits) => bits << 16);
  return { ...tensor, dtype: 'float32', values: new Float32Array(words.buffer) };
}

interface Traced {
  readonly graph: Graph;
  readonly arrays: Record<string, DecodedTensor['values']>;
}

function tracedCase(model: ImportedModel, { inputs }: OnnxCase, level: Level): Traced {
  const tensors: Record<string, Tensor> = {};
  const ports: [string, Tensor][] = [];
  const arrays: Record<string, DecodedTensor['values']> = {};
  for (const [i, given] of inputs.entries()) {
    const { name, elementType } = model.inputs[i];
    const { dtype, shape, values } = asDeclared(given, elementType);
    const isConstant = level === 'all' || (level === 'integers' && !dtypeFacts[dtype].isFloat);
    tensors[name] = isConstant ? knownTensor(dtype, shape, values) : placeholder({ dtype, shape });
    if (isConstant) continue;
    ports.push([`in:${name}`, tensors[name]]);
    arrays[`in:${name}`] = values;
  }
  const results = Object.entries(model.apply({}, tensors));
  return {
    graph: closeGraph(
      ports,
      results.map(([name, tensor]) => [`out:${name}`, tensor]),
    ),
    arrays,
  };
}

/** Whether one value is the other within ONNX's own tolerance for its cases; not a number equals itself. */
function isClose(actual: number, wanted: number, tolerance: number): boolean {
  if (Object.is(actual, wanted) || actual === wanted) return true;
  return Math.abs(actual - wanted) <= 1e-6 + tolerance * Math.abs(wanted);
}

/** What is wrong with a result; `null` if nothing is. */
function faultOf(
  graph: Graph,
  results: Readonly<Record<string, ArrayLike<number | bigint>>>,
  { outputs }: OnnxCase,
  tolerance: number,
): string | null {
  for (const [i, wanted] of outputs.entries()) {
    const { name, value } = graph.outputs[i];
    const type = graph.values[value];
    if (type.dtype !== wanted.dtype || !sameShape(type.shape, wanted.shape))
      return `${type.dtype} ${formatShape(type.shape)} in place of ${wanted.dtype} ${formatShape(wanted.shape)}`;
    const actual = results[name];
    for (let at = 0; at < wanted.values.length; at++) {
      if (!isClose(Number(actual[at]), Number(wanted.values[at]), tolerance))
        return `${actual[at]} in place of ${wanted.values[at]} at ${at}`;
    }
  }
  return null;
}

export interface CaseOutcome {
  /** At how few constants the case could be traced. */
  readonly level: Level;
  /** Faults by what executed the graph; `null` where there is none. */
  readonly interpreter: string | null;
  readonly runtime: string | null;
  /** The graph's calls; none where all was computed while tracing. */
  readonly calls: number;
}

/**
 * Imports a case's model, traces it with as few constants as it takes, and compares what the float64 references and ONNX Runtime make of it.
 * @throws DataError if the model cannot be imported or traced.
 */
export async function runCase(
  runtime: Runtime,
  given: OnnxCase,
  { tolerance = 1e-3, least = 'none' }: { readonly tolerance?: number; readonly least?: Level } = {},
): Promise<CaseOutcome> {
  const model = importOnnx(given.path);
  const one = {
    ...given,
    outputs: given.outputs.map((tensor, i) => asDeclared(tensor, model.outputs[i].elementType)),
  };
  const allowed = levels.slice(levels.indexOf(least));
  for (const level of allowed) {
    let traced: Traced;
    try {
      traced = tracedCase(model, one, level);
    } catch (error) {
      if (error instanceof DataError && level !== 'all') continue;
      throw error;
    }
    const { graph, arrays } = traced;
    const interpreter = faultOf(graph, interpret(graph, arrays), one, tolerance);
    const runtimeFault = await executeGraph(runtime, graph, arrays).then(
      (results) => faultOf(graph, results, one, tolerance),
      (error: Error) => error.message,
    );
    return { level, interpreter, runtime: runtimeFault, calls: graph.calls.length };
  }
  throw new Error('no level');
}
