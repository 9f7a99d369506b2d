/** How the parameters of a network stand in a published checkpoint: names and layouts, both ways. */
import { elementCount, formatShape, type Shape, sameShape } from '../engine/shape.ts';
import { DataError } from '../errors.ts';
import { flattenParameters, type ParameterTree } from './parameters.ts';

/** A tensor of a published checkpoint, made of parameters of ours. */
export type ExternalTensor = {
  /** As it stands in the published checkpoint. */
  readonly shape: Shape;
} & (
  | {
      /** `same`: the same numbers in the same order. `transposed`: rows and columns of a matrix of ours exchanged. */
      readonly layout: 'same' | 'transposed';
      readonly path: string;
    }
  | {
      /** `rows` rows (first axis) of each of our tensors in turn, until none is left. */
      readonly layout: 'interleaved';
      /** Tensors of one shape, as many rows as `rows` divides. */
      readonly paths: readonly string[];
      readonly rows: number;
    }
  | {
      /** The first rows of a tensor of ours; the checkpoint has no room for the others, which must be zeros. */
      readonly layout: 'leading';
      readonly path: string;
      /** Rows of ours. */
      readonly rows: number;
    }
  | {
      /** Numbers that are no parameters: a checkpoint holds them, a network of ours computes them. */
      readonly layout: 'fixed';
      values(): Float32Array;
    }
);

/** Names of a network's parameters in published checkpoints. */
export interface CheckpointMap {
  /**
   * Every tensor of the published checkpoint by its name; every parameter of the tree stands in exactly one of them.
   * @param tree  parameters of the network that the map was made for.
   */
  toExternal(tree: ParameterTree): ReadonlyMap<string, ExternalTensor>;
}

/** Paths of our parameters that an external tensor holds. */
export function ownPaths(external: ExternalTensor): readonly string[] {
  switch (external.layout) {
    case 'fixed':
      return [];
    case 'interleaved':
      return external.paths;
    default:
      return [external.path];
  }
}

/**
 * Numbers of an external tensor.
 * @param read  values of a parameter of ours by its path; they are not changed.
 * @throws DataError if it has no room for numbers of ours that are not zero.
 */
export function externalValues(external: ExternalTensor, read: (path: string) => Float32Array): Float32Array {
  switch (external.layout) {
    case 'fixed':
      return external.values();
    case 'same':
      return read(external.path);
    case 'transposed':
      return transposed(read(external.path), external.shape);
    case 'interleaved':
      return interleaved(external.paths.map(read), external);
    case 'leading':
      return leading(read(external.path), external);
  }
}

/**
 * Values of our parameters, by path, that an external tensor holds.
 * @param name  of the tensor, for the error.
 * @throws DataError if its shape is not the expected one.
 */
export function ownValues(
  external: ExternalTensor,
  { name, shape, data }: { readonly name: string; readonly shape: Shape; readonly data: Float32Array },
): readonly (readonly [path: string, values: Float32Array])[] {
  if (!sameShape(shape, external.shape)) {
    throw new DataError({
      expected: `\`${name}\` to be ${formatShape(external.shape)}`,
      got: formatShape(shape),
      where: 'models/checkpoint-map',
      remedy: 'a model whose sizes are those of the checkpoint',
    });
  }
  switch (external.layout) {
    case 'fixed':
      return [];
    case 'same':
      return [[external.path, data]];
    case 'transposed':
      return [[external.path, transposed(data, [...shape].reverse())]];
    case 'interleaved':
      return separated(data, external).map((values, i) => [external.paths[i], values]);
    case 'leading':
      return [[external.path, followedByZeros(data, external)]];
  }
}

/** @param shape  [rows, columns] of the result; the values are [columns, rows]. */
function transposed(values: Float32Array, [rows, columns]: Shape): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[row * columns + column] = values[column * rows + row];
  }
  return result;
}

type Interleaving = { readonly shape: Shape; readonly paths: readonly string[]; readonly rows: number };

/** Calls `visit` for each run of `rows` rows: which part, and where the run begins in the part and in the whole. */
function eachRun(
  { shape, paths, rows }: Interleaving,
  visit: (part: number, run: { readonly own: number; readonly external: number; readonly length: number }) => void,
): void {
  const length = (elementCount(shape) / shape[0]) * rows;
  const runs = shape[0] / (rows * paths.length);
  for (let run = 0; run < runs; run++) {
    for (let part = 0; part < paths.length; part++) {
      visit(part, { own: run * length, external: (run * paths.length + part) * length, length });
    }
  }
}

function interleaved(parts: readonly Float32Array[], layout: Interleaving): Float32Array {
  const result = new Float32Array(elementCount(layout.shape));
  eachRun(layout, (part, { own, external, length }) => result.set(parts[part].subarray(own, own + length), external));
  return result;
}

function separated(values: Float32Array, layout: Interleaving): Float32Array[] {
  const parts = layout.paths.map(() => new Float32Array(values.length / layout.paths.length));
  eachRun(layout, (part, { own, external, length }) =>
    parts[part].set(values.subarray(external, external + length), own),
  );
  return parts;
}

type Leading = { readonly shape: Shape; readonly path: string; readonly rows: number };

function leading(values: Float32Array, { shape, path, rows }: Leading): Float32Array {
  const room = elementCount(shape);
  if (values.subarray(room).every((value) => value === 0)) return values.subarray(0, room);
  throw new DataError({
    expected: `the last ${rows - shape[0]} of the ${rows} rows of \`${path}\` to be zeros, as published checkpoints have no room for them`,
    got: 'other numbers',
    where: 'models/checkpoint-map',
    remedy: 'our own names for this network',
  });
}

function followedByZeros(values: Float32Array, { shape, rows }: Leading): Float32Array {
  const whole = new Float32Array((values.length / shape[0]) * rows);
  whole.set(values);
  return whole;
}

/** Names by the parameters' paths, as layers use them. */
export interface NameList {
  /** Whether the tree has a parameter at the path. */
  has(path: string): boolean;
  /** The parameter at `path` under another name; `shape` where the published tensor has another one. */
  same(path: string, name: string, shape?: Shape): void;
  transposed(path: string, name: string): void;
  /** `weight` and `bias` of a layer under another name; `shape` gives the published weight's shape where it is another than ours. */
  layer(path: string, name: string, shape?: (own: Shape) => Shape): void;
  /** Scale and bias of a norm as the `weight` and `bias` of another name. */
  norm(path: string, name: string): void;
  /**
   * The layers query, key and value under `path` as one: `weight` and `bias` with `rows` rows of each in turn.
   * @param axes  axes of length 1 that the published weight has at its end.
   */
  joint(path: string, name: string, options: { readonly rows: number; readonly axes: number }): void;
  /** The rows of the parameter at `path` but for the last, which stands for zeros. */
  allButLastRow(path: string, name: string): void;
  fixed(name: string, shape: Shape, values: () => Float32Array): void;
}

/** The shape of a linear layer's weight as that of a convolution with kernel 1 over so many axes. */
export function asConvolution(axes: number): (own: Shape) => Shape {
  return (own) => [...own, ...new Array<number>(axes).fill(1)];
}

/** A map made by listing names of a tree's parameters. */
export function listNames(tree: ParameterTree, list: (names: NameList) => void): ReadonlyMap<string, ExternalTensor> {
  const specs = new Map(flattenParameters(tree));
  const result = new Map<string, ExternalTensor>();
  const shapeOf = (path: string): Shape => specs.get(path)?.shape ?? [];
  const names: NameList = {
    has: (path) => specs.has(path),
    same: (path, name, shape = shapeOf(path)) => result.set(name, { layout: 'same', path, shape }),
    transposed: (path, name) => result.set(name, { layout: 'transposed', path, shape: [...shapeOf(path)].reverse() }),
    layer(path, name, shape = (own) => own) {
      names.same(`${path}.weight`, `${name}.weight`, shape(shapeOf(`${path}.weight`)));
      names.same(`${path}.bias`, `${name}.bias`);
    },
    norm(path, name) {
      names.same(`${path}.scale`, `${name}.weight`);
      names.same(`${path}.bias`, `${name}.bias`);
    },
    joint(path, name, { rows, axes }) {
      for (const kind of ['weight', 'bias']) {
        const paths = ['query', 'key', 'value'].map((part) => `${path}.${part}.${kind}`);
        const [width, ...rest] = shapeOf(paths[0]);
        const shape = asConvolution(kind === 'weight' ? axes : 0)([3 * width, ...rest]);
        result.set(`${name}.${kind}`, { layout: 'interleaved', paths, rows, shape });
      }
    },
    allButLastRow(path, name) {
      const [rows, ...rest] = shapeOf(path);
      result.set(name, { layout: 'leading', path, rows, shape: [rows - 1, ...rest] });
    },
    fixed: (name, shape, values) => result.set(name, { layout: 'fixed', shape, values }),
  };
  list(names);
  return result;
}
