/** What a model's parameters are and how they start: trees of plain records. Their values live in the state of a stepper. */
import { elementCount, type Shape } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type TensorTree, type TypeTree, tensorType } from '../engine/trace.ts';
import { flattenTree, mapTree, type Tree } from '../engine/tree.ts';
import { type RandomStream, stream } from '../numerics/stream.ts';

/** Distribution of one element before it is scaled and shifted. */
const standardDraws = {
  /** Always 0. */
  none: () => 0,
  /** Uniform in (-1, 1). */
  uniform: (random: RandomStream) => 2 * random.uniformFloat32() - 1,
  /** Mean 0, variance 1. */
  normal: (random: RandomStream) => random.normal(),
  /** Normal, drawn again until it lies in [-2, 2]. */
  truncatedNormal: (random: RandomStream) => {
    let value = random.normal();
    while (Math.abs(value) > 2) value = random.normal();
    return value;
  },
};

/** Elements start as independent draws of offset + scale · z, z from the distribution. */
export interface Initializer {
  readonly distribution: keyof typeof standardDraws;
  readonly scale: number;
  readonly offset: number;
}

/** A parameter: float32 of a shape, and how it starts. */
export interface ParameterSpec {
  readonly shape: Shape;
  readonly initialize: Initializer;
}

/** Parameters of a layer or model by name; paths such as `blocks.0.attention.query.weight` name them in state and files. */
export type ParameterTree = Tree<ParameterSpec>;

/** The tree of tensors that stands for a tree of parameters. */
export type TensorsOf<P> = ParameterTree extends P
  ? TensorTree
  : P extends ParameterSpec
    ? Tensor
    : { readonly [K in keyof P]: TensorsOf<P[K]> };

/** Every element equal to `value`. */
export function constantly(value: number): Initializer {
  return { distribution: 'none', scale: 0, offset: value };
}

/** Normal elements with mean 0. */
export function normal(deviation: number): Initializer {
  return { distribution: 'normal', scale: deviation, offset: 0 };
}

/** Normal elements with mean 0, drawn again beyond two deviations. */
export function truncatedNormal(deviation: number): Initializer {
  return { distribution: 'truncatedNormal', scale: deviation, offset: 0 };
}

/** Uniform elements in (-bound, bound). */
export function uniform(bound: number): Initializer {
  return { distribution: 'uniform', scale: bound, offset: 0 };
}

/** Uniform with bound 1 / sqrt(fanIn): PyTorch's start of linear and convolution weights and biases, from [he:15] with slope sqrt(5). */
export function fanInUniform(fanIn: number): Initializer {
  return uniform(1 / Math.sqrt(fanIn));
}

/** Uniform with bound sqrt(6 / (fanIn + fanOut)) [glorot:10]. */
export function xavierUniform(fanIn: number, fanOut: number): Initializer {
  return uniform(Math.sqrt(6 / (fanIn + fanOut)));
}

export function parameter(shape: Shape, initialize: Initializer): ParameterSpec {
  return { shape, initialize };
}

export function isParameterSpec(value: unknown): value is ParameterSpec {
  return typeof value === 'object' && value !== null && 'initialize' in value && 'shape' in value;
}

/** Specs by path, in the tree's order. */
export function flattenParameters(tree: ParameterTree): [string, ParameterSpec][] {
  return flattenTree(tree, isParameterSpec);
}

/** Types of the parameters, for tracing: a tree of the same form. */
export function parameterTypes(tree: ParameterTree): TypeTree {
  return mapTree(tree, isParameterSpec, (_path, { shape }) => tensorType(shape));
}

/** Number of elements of all parameters. */
export function parameterCount(tree: ParameterTree): number {
  return flattenParameters(tree).reduce((count, [, { shape }]) => count + elementCount(shape), 0);
}

/**
 * Starting values of the parameter at a path. They depend on the seed, the path and the spec, not on other parameters: they come from
 * `stream(seed, 'parameter:' + path)`.
 * @param seed  integer in [0, 2^32).
 * @throws ConfigError if the seed is out of range.
 */
export function initializeParameter(path: string, { shape, initialize }: ParameterSpec, seed: number): Float32Array {
  const { distribution, scale, offset } = initialize;
  const values = new Float32Array(elementCount(shape)).fill(offset);
  if (scale === 0) return values;
  const random = stream(seed, `parameter:${path}`);
  const draw = standardDraws[distribution];
  for (let i = 0; i < values.length; i++) values[i] = offset + scale * draw(random);
  return values;
}

/** Starting values of a model's parameters by path, made as they are asked for. */
export function initialValues(tree: ParameterTree, seed: number): (path: string) => Float32Array {
  const specs = new Map(flattenParameters(tree));
  return (path) => initializeParameter(path, specs.get(path)!, seed);
}

/** Starting values by path, of `initializeParameter`. @throws ConfigError if the seed is out of range. */
export function initializeParameters(tree: ParameterTree, seed: number): Record<string, Float32Array> {
  return Object.fromEntries(
    flattenParameters(tree).map(([path, spec]) => [path, initializeParameter(path, spec, seed)]),
  );
}
