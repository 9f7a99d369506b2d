/**
 * The two matrix products of the exact field on a runtime: scores of all data for some points, and sums of data by weights made of the
 * scores. Data stay in the runtime's memory, in blocks.
 */
import { closeGraph } from '../engine/graph.ts';
import { emitModel } from '../engine/onnx/emit.ts';
import { add, exp, matmul, multiply, reduceMax, reduceSum, subtract } from '../engine/ops.ts';
import type { Binding, DeviceTensor, OnnxModel, Runtime, Session } from '../engine/runtime.ts';
import { placeholder, type Tensor } from '../engine/tensor.ts';
import { tensorType } from '../engine/trace.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';
import type { DataByNumber } from './finish-point.ts';

/** Data in a block. */
const blockRows = 2048;
/** Points that are asked for at once: a power of two from the smallest to the largest, filled up. */
const smallestChunk = 8;
const largestChunk = 128;
/** The scores of a chunk take at most this much memory, whatever the number of data. */
const scoreBytes = 2 ** 27;
/** Added to the scores of data that are left out or only fill a block up: below every score, and finite. */
const leftOut = -1e30;
/** Scores above this are those of data. */
export const leastScore = -1e29;

/** Data `first`, ..., `first + rows - 1`. */
interface Block {
  readonly first: number;
  readonly rows: number;
  /** [blockRows, elements]. */
  readonly data: DeviceTensor;
  /** |x_i|^2 / 2 - c.x_i, [1, blockRows]. */
  readonly halves: DeviceTensor;
}

/** Which data take part: one tensor a block, 0 or `leftOut`, [1, blockRows]; null where none of the block does. */
export interface RowMask {
  readonly tensors: readonly (DeviceTensor | null)[];
  /** One a block and chunk size, made when first needed. */
  readonly bindings: Map<string, Binding>;
}

/** Points, [rows, elements] and [rows]; fewer than the chunk holds. */
export interface ScoredPoints {
  /** x - t c. */
  readonly x: Float32Array;
  readonly time: Float32Array;
}

/** Scores q_i = (x - t c).x_i - t (|x_i|^2 / 2 - c.x_i) of the points last asked for. */
export interface ChunkScores {
  /** Rows that are filled up to. */
  readonly rows: number;
  /** Largest score in each block: float32 [rows] each; null for a block of which no datum takes part. */
  readonly largest: readonly (Float32Array | null)[];
  /** Scores of a block, float32 [rows, blockRows]. */
  block(index: number): Float32Array;
}

/** Weighted sums over the data. */
export interface WeightedSums {
  /** sum_i w_i, float32 [rows]. */
  readonly weight: Float32Array;
  /** sum_i w_i x_i, float32 [rows, elements]. */
  readonly sum: Float32Array;
}

/** Data on a runtime. Calls must not overlap. */
export interface RowScores {
  readonly blocks: readonly { readonly first: number; readonly rows: number }[];
  /** The vector c: the mean of the first block, which makes scores of data with a common mean small. Float64 [elements]. */
  readonly centre: Float64Array;
  /** Largest |x_i|. */
  readonly largestNorm: number;
  /** Most points in a call. */
  readonly mostRows: number;
  mask(kept: Uint8Array | null): RowMask;
  scores(points: ScoredPoints, mask: RowMask): Promise<ChunkScores>;
  /**
   * Sums with w_i = exp(scale (q_i - shift)) of the scores that were computed last.
   * @param blocks  those that matter.
   */
  sums(
    weights: { readonly scale: Float32Array; readonly shift: Float32Array },
    blocks: readonly number[],
  ): Promise<WeightedSums>;
  /** Some of the data: in place where the runtime's memory is the host's, else read anew. */
  data(numbers: readonly number[]): Promise<DataByNumber>;
  release(): void;
}

/** What is compiled and allocated for one number of points. */
interface Chunk {
  readonly rows: number;
  readonly score: Session;
  readonly x: DeviceTensor;
  readonly time: DeviceTensor;
  /** Scores and largest scores, one a block. */
  readonly scores: readonly DeviceTensor[];
  readonly largest: readonly DeviceTensor[];
  /** The second product, compiled when it is first needed. */
  summing: Promise<Summing> | null;
}

interface Sums {
  readonly weight: DeviceTensor;
  readonly sum: DeviceTensor;
}

interface Summing {
  readonly session: Session;
  readonly scale: DeviceTensor;
  readonly shift: DeviceTensor;
  /** Zeros, and two that are written in turn. */
  readonly sums: readonly [Sums, Sums, Sums];
  readonly bindings: Map<string, Binding>;
}

const types = (rows: number, elements: number) => ({
  points: tensorType([rows, elements]),
  column: tensorType([rows, 1]),
  data: tensorType([blockRows, elements]),
  row: tensorType([1, blockRows]),
  scores: tensorType([rows, blockRows]),
});

function scoreGraph(rows: number, elements: number) {
  const type = types(rows, elements);
  const x = placeholder(type.points);
  const time = placeholder(type.column);
  const data = placeholder(type.data);
  const halves = placeholder(type.row);
  const mask = placeholder(type.row);
  const products = matmul(x, data, { transposeB: true });
  const scores = add(subtract(products, multiply(time, halves)), mask);
  const largest = reduceMax(scores, { axes: [1], keepDims: true });
  return closeGraph(Object.entries({ x, time, data, halves, mask }), Object.entries({ scores, largest }));
}

function sumGraph(rows: number, elements: number) {
  const type = types(rows, elements);
  const scores = placeholder(type.scores);
  const scale = placeholder(type.column);
  const shift = placeholder(type.column);
  const data = placeholder(type.data);
  const weight = placeholder(type.column);
  const sum = placeholder(type.points);
  const weights: Tensor = exp(multiply(subtract(scores, shift), scale));
  const outputs = {
    nextWeight: add(weight, reduceSum(weights, { axes: [1], keepDims: true })),
    nextSum: add(sum, matmul(weights, data)),
  };
  return closeGraph(Object.entries({ scores, scale, shift, data, weight, sum }), Object.entries(outputs));
}

function meanOf(values: Float32Array, elements: number): Float64Array {
  const mean = new Float64Array(elements);
  for (let i = 0; i < values.length; i++) mean[i % elements]! += values[i]!;
  return mean.map((sum) => sum / (values.length / elements));
}

/** Reads all data into blocks. */
async function keepBlocks(runtime: Runtime, { count, elements, read }: KeptRows) {
  const blocks: Block[] = [];
  let centre: Float64Array = new Float64Array(elements);
  let largestSquare = 0;
  for (let first = 0; first < count; first += blockRows) {
    const rows = Math.min(blockRows, count - first);
    const values = await read(first, rows);
    if (first === 0) centre = meanOf(values, elements);
    const halves = new Float32Array(blockRows);
    for (let i = 0; i < rows; i++) {
      let [square, product] = [0, 0];
      for (let k = 0, at = i * elements; k < elements; k++, at++) {
        square += values[at]! ** 2;
        product += values[at]! * centre[k]!;
      }
      halves[i] = square / 2 - product;
      largestSquare = Math.max(largestSquare, square);
    }
    const data = runtime.allocate({ name: 'data', dtype: 'float32', shape: [blockRows, elements] });
    if (rows === blockRows) data.write(values);
    else {
      const whole = new Float32Array(blockRows * elements);
      whole.set(values);
      data.write(whole);
    }
    blocks.push({ first, rows, data, halves: written(runtime, halves) });
  }
  return { blocks, centre, largestNorm: Math.sqrt(largestSquare) };
}

function written(runtime: Runtime, values: Float32Array): DeviceTensor {
  const tensor = runtime.allocate({ name: 'row', dtype: 'float32', shape: [1, values.length] });
  tensor.write(values);
  return tensor;
}

function mostRowsFor(blocks: number): number {
  let rows = largestChunk;
  while (rows > smallestChunk && rows * blocks * blockRows * 4 > scoreBytes) rows /= 2;
  return rows;
}

/** Values filled up with zeros to the tensor's length. */
function writeFilled(tensor: DeviceTensor, values: Float32Array): void {
  const length = tensor.spec.shape.reduce((a, b) => a * b, 1);
  if (values.length === length) {
    tensor.write(values);
    return;
  }
  const whole = new Float32Array(length);
  whole.set(values);
  tensor.write(whole);
}

// Both are float32 by their graphs.
const contents = (tensor: DeviceTensor) => (tensor.view ?? tensor.read()) as Float32Array;

/** Compiles on a runtime. */
function compiler(runtime: Runtime, elements: number) {
  const emitted = (graph: ReturnType<typeof closeGraph>) =>
    emitModel(graph, { provider: runtime.provider, channelBlock: runtime.channelBlock });
  const hostTensor = (name: string, model: OnnxModel) => {
    const spec = [...model.inputs, ...model.outputs].find((one) => one.name === name)!;
    return runtime.allocate(spec, { residence: 'host' });
  };
  return {
    async chunk(rows: number, blocks: number): Promise<Chunk> {
      const model = emitted(scoreGraph(rows, elements));
      const many = (name: string) => Array.from({ length: blocks }, () => hostTensor(name, model));
      return {
        rows,
        score: await runtime.createSession(model),
        x: hostTensor('x', model),
        time: hostTensor('time', model),
        scores: many('scores'),
        largest: many('largest'),
        summing: null,
      };
    },
    async summing(rows: number): Promise<Summing> {
      const model = emitted(sumGraph(rows, elements));
      const sums = () => ({ weight: hostTensor('weight', model), sum: hostTensor('sum', model) });
      return {
        session: await runtime.createSession(model),
        scale: hostTensor('scale', model),
        shift: hostTensor('shift', model),
        sums: [sums(), sums(), sums()],
        bindings: new Map(),
      };
    },
  };
}

/** Keeps data in the runtime's memory. Memory besides theirs: below 300 MiB for rows of up to 100,000 numbers. */
export async function openRowScores(runtime: Runtime, rows: KeptRows): Promise<RowScores> {
  const { elements } = rows;
  const { blocks, centre, largestNorm } = await keepBlocks(runtime, rows);
  const compile = compiler(runtime, elements);
  const mostRows = mostRowsFor(blocks.length);
  const chunks = new Map<number, Promise<Chunk>>();
  let last: Chunk | null = null;
  return {
    blocks,
    centre,
    largestNorm,
    mostRows,
    mask: (kept) => maskOf(runtime, blocks, kept),
    async scores({ x, time }, mask) {
      let size = smallestChunk;
      while (size < time.length) size *= 2;
      const compiled = chunks.get(size) ?? compile.chunk(size, blocks.length);
      chunks.set(size, compiled);
      const chunk = await compiled;
      last = chunk;
      writeFilled(chunk.x, x);
      writeFilled(chunk.time, time);
      return scoreBlocks(chunk, blocks, mask);
    },
    async sums({ scale, shift }, wanted) {
      const chunk = last!;
      chunk.summing ??= compile.summing(chunk.rows);
      const summing = await chunk.summing;
      writeFilled(summing.scale, scale);
      writeFilled(summing.shift, shift);
      return sumBlocks(chunk, summing, { blocks, wanted });
    },
    data: (numbers) => dataOf(rows, blocks, numbers),
    // The runtime gives back the rest.
    release: () => runtime.release(),
  };
}

async function dataOf(
  { elements, read }: KeptRows,
  blocks: readonly Block[],
  numbers: readonly number[],
): Promise<DataByNumber> {
  // Data are float32.
  const views = blocks.map(({ data }) => data.view as Float32Array | null);
  if (views[0] !== null) {
    return {
      values: (number) => views[Math.floor(number / blockRows)]!,
      start: (number) => (number % blockRows) * elements,
    };
  }
  const values = new Map<number, Float32Array>();
  for (const number of numbers) values.set(number, await read(number, 1));
  return { values: (number) => values.get(number)!, start: () => 0 };
}

function maskOf(runtime: Runtime, blocks: readonly Block[], kept: Uint8Array | null): RowMask {
  const tensors = blocks.map(({ first, rows }) => {
    const values = new Float32Array(blockRows).fill(leftOut);
    for (let i = 0; i < rows; i++) if (kept === null || kept[first + i] === 1) values[i] = 0;
    return values.includes(0) ? written(runtime, values) : null;
  });
  return { tensors, bindings: new Map() };
}

async function scoreBlocks(chunk: Chunk, blocks: readonly Block[], mask: RowMask): Promise<ChunkScores> {
  const { rows, score, x, time } = chunk;
  const largest: (Float32Array | null)[] = [];
  for (const [index, { data, halves }] of blocks.entries()) {
    const tensor = mask.tensors[index]!;
    if (tensor === null) {
      largest.push(null);
      continue;
    }
    const key = `${rows} ${index}`;
    const outputs = { scores: chunk.scores[index]!, largest: chunk.largest[index]! };
    const binding = mask.bindings.get(key) ?? score.bind({ x, time, data, halves, mask: tensor }, outputs);
    mask.bindings.set(key, binding);
    await score.run(binding);
    largest.push(contents(outputs.largest));
  }
  return { rows, largest, block: (index) => contents(chunk.scores[index]!) };
}

async function sumBlocks(
  { scores }: Chunk,
  { session, scale, shift, sums, bindings }: Summing,
  { blocks, wanted }: { readonly blocks: readonly Block[]; readonly wanted: readonly number[] },
): Promise<WeightedSums> {
  let from = 0;
  for (const index of wanted) {
    const to = from === 1 ? 2 : 1;
    const key = `${index} ${from}`;
    const inputs = { scores: scores[index]!, scale, shift, data: blocks[index]!.data, ...sums[from]! };
    const outputs = { nextWeight: sums[to]!.weight, nextSum: sums[to]!.sum };
    const binding = bindings.get(key) ?? session.bind(inputs, outputs);
    bindings.set(key, binding);
    await session.run(binding);
    from = to;
  }
  return { weight: contents(sums[from]!.weight), sum: contents(sums[from]!.sum) };
}
