/** A trained network as a flow: noise and time in, velocity out, executed by a runtime. */
import { closeGraph, type Graph, type NamedTensor } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { add, broadcastTo, concat, constant, multiply, reshape, split, subtract } from '../engine/ops.ts';
import type { Runtime, TensorSpec } from '../engine/runtime.ts';
import { elementCount } from '../engine/shape.ts';
import { createStepper, type Stepper } from '../engine/stepper.ts';
import { placeholder, type Tensor, type TensorType } from '../engine/tensor.ts';
import { tensorSpec } from '../engine/tensor-spec.ts';
import { isTensor, isTensorType, type TensorTree, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree } from '../engine/tree.ts';
import type { Model, ModelInputs } from '../models/model.ts';
import type { FlowConditions, FlowModel } from './flow-model.ts';
import type { VelocityField } from './solvers/solver.ts';

export interface NetworkFlowOptions {
  readonly model: Model;
  /** Types of the model's parameters, in the form of its tree. */
  readonly parameterTypes: TypeTree;
  /** Values by path, or a function that reads them: then they are never in memory together but where the network has them. */
  readonly parameters: Readonly<Record<string, Float32Array>> | ((path: string) => Promise<Float32Array>);
  /** Samples that go through the network together. */
  readonly batch: number;
}

const PREFIX = 'parameters';

/** The state of a network's parameters: their specs, named by their paths behind `parameters.`. */
export function parameterSpecs({ parameterTypes }: Pick<NetworkFlowOptions, 'parameterTypes'>): TensorSpec[] {
  const types = flattenTree<TensorType>(parameterTypes, isTensorType);
  return types.map(([path, type]) => tensorSpec(`${PREFIX}.${path}`, type));
}

/** Fills the state of `parameterSpecs`. @throws ShapeError if a value is of another size. */
export async function writeParameters(
  stepper: Stepper,
  { parameterTypes, parameters }: Pick<NetworkFlowOptions, 'parameterTypes' | 'parameters'>,
): Promise<void> {
  if (typeof parameters !== 'function') {
    const values = Object.entries(parameters).map(([path, array]) => [`${PREFIX}.${path}`, array]);
    return stepper.writeState(Object.fromEntries(values));
  }
  for (const [path] of flattenTree<TensorType>(parameterTypes, isTensorType)) {
    await stepper.writeState({ [`${PREFIX}.${path}`]: await parameters(path) });
  }
}

/** What the network is asked besides its parameters; `guidance` is the weight of the label, a scalar, or null for none. */
export interface VelocityInputs extends ModelInputs {
  readonly guidance: Tensor | null;
}

/** The network on a batch; guided, on the batch with its labels and again with the null class, in one call. Source: [ho:22], eq. (6). */
export function networkVelocity(
  model: Model,
  parameters: TensorTree,
  { x, time, labels, guidance }: VelocityInputs,
): Tensor {
  if (guidance === null || labels === null || model.classes === null) {
    return model.apply(parameters, { x, time, labels });
  }
  const none = broadcastTo(reshape(constant(model.classes, 'int32'), [1]), labels.shape);
  const twice = { x: concat([x, x], 0), time: concat([time, time], 0), labels: concat([labels, none], 0) };
  const [conditional, unconditional] = split(model.apply(parameters, twice), 2, 0);
  return add(unconditional, multiply(subtract(conditional, unconditional), guidance));
}

/** Placeholders of a model's parameters, and the same as inputs of a graph, named by their paths behind a prefix. */
export function parameterPlaceholders(types: TypeTree, prefix: string): { tree: TensorTree; ports: NamedTensor[] } {
  const tree = mapTree<TensorType, Tensor>(types, isTensorType, (_path, type) => placeholder(type));
  const ports = flattenTree<Tensor>(tree, isTensor).map(([path, tensor]): NamedTensor => [`${prefix}${path}`, tensor]);
  return { tree, ports };
}

/** What the graph of a velocity needs of a network. */
export type NetworkShape = Pick<NetworkFlowOptions, 'model' | 'parameterTypes' | 'batch'>;

/**
 * The velocity as a graph: parameters, `x` float32 [batch, ...shape], `time` float32 [batch], `labels` int32 [batch] where the model has
 * classes and `guidance` float32 [] where it is guided -> `velocity` like x.
 * @param prefix  before the paths that name the parameters.
 */
export function velocityGraph(
  { model, parameterTypes, batch }: NetworkShape,
  { guided, prefix }: { readonly guided: boolean; readonly prefix: string },
): Graph {
  const parameters = parameterPlaceholders(parameterTypes, prefix);
  const x = placeholder(tensorType([batch, ...model.input.shape]));
  const time = placeholder(tensorType([batch]));
  const labels = model.classes === null ? null : placeholder(tensorType([batch], 'int32'));
  const guidance = guided ? placeholder(tensorType([])) : null;
  const ports: NamedTensor[] = [...parameters.ports, ['x', x], ['time', time]];
  if (labels !== null) ports.push(['labels', labels]);
  if (guidance !== null) ports.push(['guidance', guidance]);
  return closeGraph(ports, [['velocity', networkVelocity(model, parameters.tree, { x, time, labels, guidance })]]);
}

/** @throws RuntimeError if the network cannot be compiled. */
export async function networkFlow(runtime: Runtime, options: NetworkFlowOptions): Promise<FlowModel> {
  const { model, batch } = options;
  const { provider, channelBlock } = runtime;
  const program = (guided: boolean) => ({
    model: emitModel(velocityGraph(options, { guided, prefix: `${PREFIX}.` }), { provider, channelBlock }),
  });
  const stepper = await createStepper(runtime, {
    state: { parameters: parameterSpecs(options) },
    programs: {
      plain: program(false),
      ...(model.classes === null ? {} : { guided: program(true) }),
    },
  });
  await writeParameters(stepper, options);
  return {
    name: model.name,
    elements: elementCount(model.input.shape),
    classes: model.classes,
    batch,
    lastStep: null,
    velocity: (conditions) => velocityField(stepper, options, conditions),
    release: () => stepper.release(),
  };
}

/** The trained velocities of a batch with its labels; each call runs the network once. */
function velocityField(
  stepper: Stepper,
  { model, batch }: NetworkFlowOptions,
  { labels, guidance, signal }: FlowConditions,
): VelocityField<Float32Array> {
  const none = model.classes === null ? null : new Int32Array(batch).fill(model.classes);
  const classes = labels ?? none;
  const guided = guidance !== 1 && model.classes !== null;
  const fixed = {
    ...(classes === null ? {} : { labels: classes }),
    ...(guided ? { guidance: Float32Array.of(guidance) } : {}),
  };
  return async (x, time) => {
    signal?.throwIfAborted();
    const inputs = { x, time: Float32Array.from(time), ...fixed };
    const { velocity } = await stepper.run(guided ? 'guided' : 'plain', {
      inputs,
      ...(signal === undefined ? {} : { signal }),
    });
    return velocity as Float32Array;
  };
}
