/** ONNX files as functions of tensors, to be traced, cut, differentiated, frozen or trained. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, DataError, ShapeError } from '../../errors.ts';
import type { DType, HostArray } from '../dtype.ts';
import { formatType, sameType, type Tensor, type TensorType } from '../tensor.ts';
import { elementTypeName, elementTypes } from './element-type.ts';
import { externalReader } from './external-data.ts';
import { createFolding, knownTensor } from './known-values.ts';
import type { FileDimension, FileModel, FileNode, FileValue } from './model-record.ts';
import { tensorConstant } from './operator.ts';
import { type GraphPlan, neededNodes, planGraph, shownName } from './plan-graph.ts';
import { readModel } from './read-model.ts';
import { decodeTensor, type ReadExternal } from './read-tensor.ts';
import { operatorOf, opsetRange, runGraph, type Scope } from './run-graph.ts';
import { trainableInitializers } from './trainable.ts';

/** What a file says of one of its inputs or outputs. */
export interface ImportedValue {
  readonly name: string;
  /** `null` if it is no tensor of numbers. Where it is wider than the file's type, the engine has no narrower one. */
  readonly dtype: DType | null;
  /** Name of the element type in the file, e.g. `float16`. */
  readonly elementType: string;
  /** Sizes of the axes; a name or `null` where the caller chooses, and `null` as a whole where the rank is open, too. */
  readonly shape: readonly FileDimension[] | null;
}

/** A constant of the file that can be trained: type and values. It stands for its type in a tree of types to trace with. */
export interface ImportedParameter extends TensorType {
  readonly values: HostArray;
}

/** A node whose operator cannot be imported. */
export interface UnsupportedNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
}

export interface ApplyOptions {
  /** Names of the values to return: outputs, or any value in between. Default: the outputs of the file. */
  readonly outputs?: readonly string[];
}

/** A function of tensors that an ONNX file describes. */
export interface ImportedModel {
  /** What wrote the file, as it says. */
  readonly producer: string;
  /** Version of each operator set by domain; ONNX's own is `''`. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Inputs without a value in the file. */
  readonly inputs: readonly ImportedValue[];
  readonly outputs: readonly ImportedValue[];
  /**
   * Float constants that can be trained, by name; those of 16 bits are float32 here. Files do not tell weights from other tables, so
   * masks and grids of positions may be among them: what is not handed to `apply` stays as it is.
   */
  readonly parameters: Readonly<Record<string, ImportedParameter>>;
  /** Names of all values that nodes compute, in an order in which they can be computed: what `outputs` may name. */
  readonly values: readonly string[];
  /** Nodes with operators that cannot be imported. Values that do not depend on them can be had nevertheless. */
  readonly unsupported: readonly UnsupportedNode[];
  /**
   * The function applied to tensors. It grows the graph of its arguments: it can be traced with parameters as inputs, to train them,
   * or without, and differentiated with respect to any tensor. Open axes get the sizes that the inputs have.
   * @param parameters  tensors by the names of `parameters`; those left out are constants with the file's values.
   * @param inputs  tensors by name; those that the outputs do not depend on may be left out.
   * @returns tensors by the names of `outputs`.
   * @throws ShapeError if a parameter or an input has another type than the file says; ConfigError for a name that it does not have;
   *   DataError if a node has an operator that cannot be imported, or operands that do not fit it, or needs to know a value
   *   that depends on inputs.
   */
  apply(
    parameters: Readonly<Record<string, Tensor>>,
    inputs: Readonly<Record<string, Tensor>>,
    options?: ApplyOptions,
  ): Record<string, Tensor>;
}

/** Largest file that is read: protobuf's own limit. */
const LARGEST_FILE_BYTES = 2 ** 31 - 1;

interface OpenedModel {
  readonly model: FileModel;
  readonly readExternal: ReadExternal;
}

/** Reads the file's bytes and remembers its folder. @throws DataError if it cannot be read. */
function openModel(source: Uint8Array | string): OpenedModel {
  if (typeof source !== 'string') return { model: readModel(source), readExternal: externalReader(null) };
  try {
    const status = statSync(source);
    if (!status.isFile() || status.size > LARGEST_FILE_BYTES) {
      const got = status.isFile() ? `${status.size} bytes` : 'something else';
      throw new DataError({ expected: `\`${source}\` to be a file below 2 GiB`, got, where: 'engine/onnx importOnnx' });
    }
    return { model: readModel(readFileSync(source), source), readExternal: externalReader(dirname(source)) };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${source}\` to be readable`, got, where: 'engine/onnx importOnnx', cause });
  }
}

function checkOpset({ opsets, graph }: FileModel): void {
  const version = opsets.get('') ?? null;
  const used = graph.nodes.some(({ domain }) => domain === '');
  if (!used || (version !== null && version >= opsetRange.first && version <= opsetRange.last)) return;
  throw new DataError({
    expected: `an operator set ai.onnx of version ${opsetRange.first} to ${opsetRange.last}`,
    got: version === null ? 'none' : `${version}`,
    where: 'engine/onnx importOnnx',
    remedy: 'converting or exporting the model for another version',
  });
}

function importedValue({ name, elementType, shape }: FileValue): ImportedValue {
  return {
    name,
    dtype: elementType === null ? null : (elementTypes.get(elementType)?.dtype ?? null),
    elementType: elementType === null ? 'no tensor' : elementTypeName(elementType),
    shape,
  };
}

/** @throws ShapeError unless a tensor has the declared dtype, rank and fixed sizes. */
function checkInput({ name, dtype, elementType, shape }: ImportedValue, given: Tensor): void {
  const fits = shape?.every((size, axis) => typeof size !== 'number' || size === given.shape[axis]) ?? true;
  if (given.dtype === dtype && fits && (shape === null || shape.length === given.shape.length)) return;
  const sizes = shape === null ? 'any shape' : `[${shape.map((size) => size ?? '?').join(', ')}]`;
  throw new ShapeError({
    expected: `input ${shownName(name)} to be ${dtype ?? elementType} ${sizes}`,
    got: formatType(given),
    where: 'engine/onnx apply',
  });
}

/** @throws ConfigError if a key is not among the names that there are. */
function checkNames(given: Iterable<string>, known: ReadonlySet<string>, what: string): void {
  for (const name of given) {
    if (known.has(name)) continue;
    const some = [...known].slice(0, 9).map(shownName).join(', ');
    throw new ConfigError({
      expected: `${what} of the model${some === '' ? '' : `, such as ${some}`}`,
      got: shownName(name),
      where: 'engine/onnx apply',
    });
  }
}

function checkParameter(name: string, parameter: TensorType, given: Tensor): void {
  if (sameType(parameter, given)) return;
  throw new ShapeError({
    expected: `parameter ${shownName(name)} to be ${formatType(parameter)}`,
    got: formatType(given),
    where: 'engine/onnx apply',
  });
}

function unsupportedNode({ name, opType, domain }: FileNode): UnsupportedNode {
  return { name, opType, domain };
}

/** Everything that `apply` needs, gathered once. */
interface Prepared extends OpenedModel {
  readonly plan: GraphPlan;
  readonly inputs: readonly ImportedValue[];
  readonly parameters: Readonly<Record<string, ImportedParameter>>;
  readonly names: ReadonlySet<string>;
}

/** Values that the wanted ones start from: parameters, other constants, and inputs. */
function startingScope(
  { plan, inputs, parameters, readExternal }: Prepared,
  given: { readonly parameters: Readonly<Record<string, Tensor>>; readonly inputs: Readonly<Record<string, Tensor>> },
  read: ReadonlySet<string>,
): Scope {
  const values = new Map<string, Tensor>();
  const types = new Map<string, number>();
  for (const [name, tensor] of plan.initializers) {
    types.set(name, tensor.elementType);
    if (!read.has(name)) continue;
    const own = Object.hasOwn(given.parameters, name) ? given.parameters[name] : null;
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : null;
    if (own !== null && parameter !== null) checkParameter(name, parameter, own);
    const { dtype, shape, values: elements } = parameter ?? decodeTensor(tensor, readExternal);
    values.set(name, own ?? knownTensor(dtype, shape, elements));
  }
  for (const declared of inputs) {
    const { name } = declared;
    if (Object.hasOwn(given.inputs, name)) {
      checkInput(declared, given.inputs[name]);
      values.set(name, given.inputs[name]);
    } else if (read.has(name)) {
      throw new ConfigError({ expected: `input ${shownName(name)}`, got: 'none', where: 'engine/onnx apply' });
    }
  }
  return { values, types, outer: null };
}

/**
 * An ONNX file (opset 1 to 21) as a function of tensors. Nothing of the file is trusted: sizes are compared with what there is before
 * memory is taken, and data beside the file are read from its folder only.
 * @param source  bytes of a model that holds all its data, or the path of a file; the bytes must not change while the model is used.
 * @throws DataError if the file is damaged, its graph is not well-formed, its operator set is not known, or a parameter's data are
 *   missing or outside of its folder.
 */
export function importOnnx(source: Uint8Array | string): ImportedModel {
  const opened = openModel(source);
  const { model, readExternal } = opened;
  checkOpset(model);
  const plan = planGraph(model.graph);
  const parameters = Object.fromEntries(
    trainableInitializers(model.graph).map((tensor) => [tensor.name, decodeTensor(tensor, readExternal)]),
  );
  const inputs = model.graph.inputs.filter(({ name }) => !plan.initializers.has(name)).map(importedValue);
  const values = plan.nodes.flatMap(({ node }) => node.outputs.filter((name) => name !== ''));
  const ends = [...inputs.map(({ name }) => name), ...plan.initializers.keys()];
  const prepared = { ...opened, plan, inputs, parameters, names: new Set([...values, ...ends]) };
  return {
    producer: model.producer,
    opsets: model.opsets,
    inputs,
    outputs: model.graph.outputs.map(importedValue),
    parameters,
    values,
    unsupported: plan.nodes.filter(({ node }) => operatorOf(node) === null).map(({ node }) => unsupportedNode(node)),
    apply: (given, tensors, options = {}) => applyModel(prepared, { parameters: given, inputs: tensors }, options),
  };
}

function applyModel(
  prepared: Prepared,
  given: { readonly parameters: Readonly<Record<string, Tensor>>; readonly inputs: Readonly<Record<string, Tensor>> },
  { outputs }: ApplyOptions,
): Record<string, Tensor> {
  const { plan, model, readExternal, names, inputs, parameters } = prepared;
  checkNames(Object.keys(given.parameters), new Set(Object.keys(parameters)), 'a parameter');
  checkNames(Object.keys(given.inputs), new Set(inputs.map(({ name }) => name)), 'an input');
  const wanted = outputs ?? plan.graph.outputs.map(({ name }) => name);
  checkNames(wanted, names, 'a value');
  const read = new Set([...wanted, ...neededNodes(plan, wanted).flatMap(({ reads }) => reads)]);
  const scope = startingScope(prepared, given, read);
  const results = runGraph(plan, wanted, scope, { opsets: model.opsets, folding: createFolding(), readExternal });
  return Object.fromEntries(results);
}

/** The parameters as constants: what `apply` takes for those that are left out. */
export function frozenParameters(parameters: ImportedModel['parameters']): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, tensorConstant(parameter)]));
}
