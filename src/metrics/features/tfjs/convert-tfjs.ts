/** TensorFlow.js models to ONNX files. */
import { encodeModel } from '../../../engine/onnx/model-proto.ts';
import { DataError } from '../../../errors.ts';
import { type Operand, writeNode } from './graph-ops.ts';
import { createGraphWriter, type GraphWriter, unsupported, type Value } from './graph-writer.ts';
import { writeLayer } from './keras-layers.ts';
import type { GraphNode, GraphTopology, KerasLayer, LayersConfig, LayersTopology, TfjsModel } from './tfjs-model.ts';
import { type TfjsWeight, tfjsWeights } from './tfjs-weights.ts';

const where = 'metrics/features/tfjs/convert-tfjs';

export interface ConvertOptions {
  /** Layers or nodes whose values become the outputs; what they do not need is left out. Default: the model's own outputs. */
  readonly outputs?: readonly string[];
}

/** A model being written: values by name, each written when it is first needed. */
interface Conversion {
  readonly writer: GraphWriter;
  readonly weights: ReadonlyMap<string, TfjsWeight>;
  readonly inputs: Value[];
}

/** The input, images of any size or rows. */
function writeInput({ inputs }: Conversion, name: string, rank: number): Value {
  if (inputs.length > 0) throw unsupported('one input', `\`${inputs[0]!.name}\` and \`${name}\``);
  if (rank !== 4) throw unsupported(`input \`${name}\` to be images`, `${rank} axes`);
  const input = { name, rank };
  inputs.push(input);
  return input;
}

/** @throws DataError if there is no weight of the name. */
function weightOf(weights: ReadonlyMap<string, TfjsWeight>, name: string): TfjsWeight {
  const found = weights.get(name);
  if (found !== undefined) return found;
  throw new DataError({ expected: `a weight \`${name}\``, got: 'none', where });
}

/** Calls a function once for each name, and refuses circles. */
function once<T>(f: (name: string) => T): (name: string) => T {
  const known = new Map<string, T | null>();
  return (name) => {
    const found = known.get(name);
    if (found === null) throw new DataError({ expected: 'a graph without circles', got: `one at \`${name}\``, where });
    if (found !== undefined) return found;
    known.set(name, null);
    const result = f(name);
    known.set(name, result);
    return result;
  };
}

function byName<T extends { readonly name: string }>(list: readonly T[]): (name: string) => T {
  const all = new Map(list.map((item) => [item.name, item]));
  return (name) => {
    const found = all.get(name);
    if (found !== undefined) return found;
    throw new DataError({ expected: `\`${name}\` in the model`, got: 'none of this name', where });
  };
}

function writeLayers(
  conversion: Conversion,
  { layers, output_layers }: LayersConfig,
  wanted: readonly string[] | null,
) {
  const layerOf = byName(layers);
  const layerValue = once((name: string): Value => {
    const { class_name: kind, config: settings, inbound_nodes: calls }: KerasLayer = layerOf(name);
    if (kind === 'InputLayer') {
      const shape = settings.batch_input_shape;
      return writeInput(conversion, name, Array.isArray(shape) ? shape.length : 0);
    }
    if (calls.length !== 1) throw unsupported(`layer \`${name}\` to be called once`, `${calls.length} times`);
    const inputs = calls[0]!.map(([from]) => layerValue(from));
    const weight = (part: string) => weightOf(conversion.weights, `${name}/${part}`);
    return writeLayer(kind, { writer: conversion.writer, name, inputs, settings, weight });
  });
  return (wanted ?? output_layers.map(([name]) => name)).map(layerValue);
}

/** @throws DataError unless the model is functional: a sequence does not say what follows what. */
function layersConfig({ model_config: model }: LayersTopology): LayersConfig {
  const config = model?.config;
  if (config !== undefined && 'output_layers' in config) return config;
  throw unsupported(
    'a functional layers-model, or a graph-model',
    `a layers-model \`${model?.class_name ?? 'unknown'}\``,
  );
}

/** A node's name without the number of its output. */
function nodeName(reference: string): string {
  return reference.replace(/^\^/, '').replace(/:\d+$/, '');
}

function writeGraph(conversion: Conversion, nodes: readonly GraphNode[], wanted: readonly string[]): Value[] {
  const nodeOf = byName(nodes);
  const operandOf = once((name: string): Operand => {
    const node = nodeOf(name);
    if (node.op === 'Const') return { weight: weightOf(conversion.weights, name) };
    if (node.op === 'Placeholder') {
      return { value: writeInput(conversion, name, node.attr?.shape?.shape?.dim?.length ?? 0) };
    }
    const inputs = (node.input ?? []).map((reference) => operandOf(nodeName(reference)));
    return { value: writeNode({ writer: conversion.writer, node, inputs }) };
  });
  return wanted.map((name) => {
    const operand = operandOf(nodeName(name));
    if ('value' in operand) return operand.value;
    throw new DataError({ expected: `\`${name}\` to be computed`, got: 'a constant', where });
  });
}

function writeOutputs(conversion: Conversion, model: TfjsModel, wanted: readonly string[] | null): Value[] {
  const { modelTopology: topology } = model;
  if ('node' in topology) {
    const names = Object.entries(model.signature?.outputs ?? {}).map(([key, { name }]) => name ?? key);
    return writeGraph(conversion, (topology satisfies GraphTopology).node, wanted ?? names);
  }
  return writeLayers(conversion, layersConfig(topology), wanted);
}

/**
 * A layers-model (functional) or graph-model of TensorFlow.js on images as an ONNX file: input float32 [batch, 3, height, width], of any
 * size that the network takes; values keep the names of their layers or nodes. Weights are float32, without the quantisation that they
 * were stored with; normalisations stay nodes, which runtimes fold into the convolutions before them.
 * @param model  what `model.json` holds.
 * @param bytes  the weight files, one after the other.
 * @returns bytes of the file.
 * @throws DataError if weights are missing or a layer or node is not known.
 */
export function convertTfjs(model: TfjsModel, bytes: Uint8Array, { outputs: wanted }: ConvertOptions = {}): Uint8Array {
  const weights = tfjsWeights(model.weightsManifest, bytes);
  const conversion: Conversion = { writer: createGraphWriter(), weights, inputs: [] };
  const outputs = writeOutputs(conversion, model, wanted ?? null);
  if (outputs.length === 0) throw new DataError({ expected: 'outputs', got: 'none', where });
  const { nodes, initializers } = conversion.writer;
  const images = ['batch', 3, 'height', 'width'];
  return encodeModel({
    name: 'converted',
    nodes,
    initializers,
    inputs: conversion.inputs.map(({ name }) => ({ name, dtype: 'float32', shape: images })),
    outputs: outputs.map(({ name }) => ({ name, dtype: 'float32', shape: null })),
  });
}
