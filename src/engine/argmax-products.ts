/** The largest of the products with rows that stay in the runtime's memory, block by block. */
import { ShapeError } from '../errors.ts';
import { closeGraph } from './graph.ts';
import { emitModel } from './onnx/emit.ts';
import { add, cast, concat, matmul, subtract, topK } from './ops.ts';
import type { Binding, DeviceTensor, Runtime, Session, TensorSpec } from './runtime.ts';
import { placeholder } from './tensor.ts';
import { tensorType } from './trace.ts';

/** Kept rows in a block: the products of a block and a chunk, 2 MiB, stay in the processor's cache. */
const blockRows = 2048;
/** Rows that are asked for at once at most, and at least: between them powers of two, filled up with zeros. */
const largestChunk = 256;
const smallestChunk = 8;
/** Offset of rows that only fill a block up: below every score of float32 data, and finite. */
const never = -3e38;

/** Rows to keep. */
export interface EngineKeptRows {
  readonly count: number;
  /** Numbers in a row. */
  readonly elements: number;
  /** Rows `first`, ..., `first + rows - 1`: float32 [rows, elements]. */
  read(first: number, rows: number): Promise<Float32Array>;
}

/** Answers to questions of several rows, one an entry of each array. */
export interface EngineWinners {
  /** Number of the kept row with the largest score: int32 [rows]. */
  readonly rows: Int32Array;
  /** The largest scores: float32 [rows]. */
  readonly scores: Float32Array;
  /** How far the largest score is above the second largest: float32 [rows]. */
  readonly margins: Float32Array;
}

/** Kept rows x_i with offsets h_i, asked for the largest of the scores x_i.z + h_i. */
export interface EngineArgmaxProducts {
  /** Replaces the offsets, which are 0 at first: [count]; between calls of `argmax` only. @throws ShapeError */
  setOffsets(offsets: ArrayLike<number>): void;
  /**
   * The row with the largest x_i.z + h_i for each z, the first where several are largest. Calls are served in order.
   * @param noise  float32 [rows, elements].
   * @param options.antithetic  whether each -z is asked for too, at little cost; the answers for them follow all others.
   * @throws ShapeError if the numbers do not fill whole rows.
   */
  argmax(noise: Float32Array, options?: { readonly antithetic?: boolean }): Promise<EngineWinners>;
  /** Gives back what was allocated; the runtime stays. */
  release(): void;
}

/** The kept rows `first` and following. */
interface Block {
  readonly first: number;
  readonly rows: number;
  readonly data: DeviceTensor;
  readonly offsets: DeviceTensor;
}

/** A compiled question of some number of rows. */
interface Chunk {
  readonly session: Session;
  readonly rows: number;
  readonly noise: DeviceTensor;
  readonly found: { readonly rows: DeviceTensor; readonly scores: DeviceTensor };
  /** One a block. */
  readonly bindings: readonly Binding[];
}

function chunkRows(rows: number): number {
  let size = smallestChunk;
  while (size < rows && size < largestChunk) size *= 2;
  return size;
}

async function keepRows(runtime: Runtime, { count, elements, read }: EngineKeptRows): Promise<Block[]> {
  // Two at least, as there are two largest scores.
  const height = Math.max(2, Math.min(blockRows, count));
  const blocks: Block[] = [];
  for (let first = 0; first < count; first += height) {
    const rows = Math.min(height, count - first);
    const data = runtime.allocate({ name: 'data', dtype: 'float32', shape: [height, elements] });
    const whole = new Float32Array(height * elements);
    whole.set(await read(first, rows));
    data.write(whole);
    blocks.push({
      first,
      rows,
      data,
      offsets: runtime.allocate({ name: 'offsets', dtype: 'float32', shape: [1, height] }),
    });
  }
  return blocks;
}

/** Writes the offsets [count] to the blocks; those beyond are never chosen. */
function writeOffsets(blocks: readonly Block[], offsets: ArrayLike<number>): void {
  for (const { first, rows, offsets: tensor } of blocks) {
    const height = tensor.spec.shape[1];
    tensor.write(Float32Array.from({ length: height }, (_, i) => (i < rows ? offsets[first + i] : never)));
  }
}

interface ChunkShape {
  readonly rows: number;
  readonly antithetic: boolean;
}

/** The two largest scores in a block and where they are: [answers, 2]. */
function chunkGraph({ rows, antithetic }: ChunkShape, [height, elements]: readonly number[]) {
  const noise = placeholder(tensorType([rows, elements]));
  const data = placeholder(tensorType([height, elements]));
  const offsets = placeholder(tensorType([1, height]));
  const products = matmul(noise, data, { transposeB: true });
  const scores = antithetic ? concat([add(products, offsets), subtract(offsets, products)], 0) : add(products, offsets);
  const { values, indices } = topK(scores, 2);
  const inputs = { noise, data, offsets };
  return closeGraph(Object.entries(inputs), Object.entries({ scores: values, rows: cast(indices, 'int32') }));
}

async function compileChunk(runtime: Runtime, blocks: readonly Block[], shape: ChunkShape): Promise<Chunk> {
  const graph = chunkGraph(shape, blocks[0].data.spec.shape);
  const { provider, channelBlock } = runtime;
  const model = emitModel(graph, { provider, channelBlock });
  const session = await runtime.createSession(model);
  const allocate = (spec: TensorSpec) => runtime.allocate(spec, { residence: 'host' });
  const noise = allocate(model.inputs.find(({ name }) => name === 'noise')!);
  const [scores, rows] = model.outputs.map(allocate);
  const found = { scores, rows };
  const bindings = blocks.map(({ data, offsets }) => session.bind({ noise, data, offsets }, found));
  return { session, rows: shape.rows, noise, found, bindings };
}

function releaseChunk({ session, bindings, noise, found }: Chunk): void {
  session.release();
  for (const binding of bindings) binding.release();
  for (const tensor of [noise, found.scores, found.rows]) tensor.release();
}

/** Two scores that go on being the two largest as blocks come. */
interface Largest extends EngineWinners {
  readonly second: Float32Array;
}

/** Takes in a block's two largest scores; a later block wins by a larger score alone, so that of equals the first is taken. */
function takeIn({ rows, scores, second }: Largest, answer: number, block: BlockAnswer): void {
  const { first, place } = block;
  const [score, next] = [block.scores[2 * place], block.scores[2 * place + 1]];
  if (score <= scores[answer]) {
    second[answer] = Math.max(second[answer], score);
    return;
  }
  second[answer] = Math.max(scores[answer], next);
  scores[answer] = score;
  rows[answer] = first + block.rows[2 * place];
}

/** What a chunk's run found in one block. */
interface BlockAnswer {
  readonly first: number;
  readonly rows: Int32Array;
  readonly scores: Float32Array;
  /** Answer that is taken. */
  readonly place: number;
}

/** Answers for the rows of a chunk, put where `answers` says. */
async function ask(
  chunk: Chunk,
  blocks: readonly Block[],
  {
    noise,
    places,
    largest,
  }: { readonly noise: Float32Array; readonly places: readonly number[]; readonly largest: Largest },
): Promise<void> {
  const whole = new Float32Array(chunk.noise.spec.shape[0] * chunk.noise.spec.shape[1]);
  whole.set(noise);
  chunk.noise.write(whole);
  const asked = noise.length / chunk.noise.spec.shape[1];
  for (const [index, { first }] of blocks.entries()) {
    await chunk.session.run(chunk.bindings[index]);
    // As the graph's outputs are.
    const found = {
      first,
      rows: chunk.found.rows.read() as Int32Array,
      scores: chunk.found.scores.read() as Float32Array,
    };
    for (const [sign, place] of places.entries()) {
      for (let row = 0; row < asked; row++) takeIn(largest, place + row, { ...found, place: sign * chunk.rows + row });
    }
  }
}

/**
 * Keeps rows in the runtime's memory, in blocks of equal size. Memory: 4 bytes a number of the rows, and a few MiB whatever their
 * number; questions of each size are compiled when they first come.
 */
export async function engineArgmaxProducts(runtime: Runtime, kept: EngineKeptRows): Promise<EngineArgmaxProducts> {
  const { count, elements } = kept;
  const blocks = await keepRows(runtime, kept);
  writeOffsets(blocks, new Float32Array(count));
  const chunks = new Map<string, Promise<Chunk>>();
  const chunkFor = (asked: number, antithetic: boolean) => {
    const rows = chunkRows(asked);
    const key = `${rows} ${antithetic}`;
    const chunk = chunks.get(key) ?? compileChunk(runtime, blocks, { rows, antithetic });
    chunks.set(key, chunk);
    return chunk;
  };
  const answer = async (noise: Float32Array, antithetic: boolean): Promise<EngineWinners> => {
    const rows = noise.length / elements;
    const answers = antithetic ? 2 * rows : rows;
    const none = () => new Float32Array(answers).fill(Number.NEGATIVE_INFINITY);
    const largest = {
      rows: new Int32Array(answers),
      scores: none(),
      second: none(),
      margins: new Float32Array(answers),
    };
    for (let start = 0; start < rows; start += largestChunk) {
      const part = noise.subarray(start * elements, Math.min(rows, start + largestChunk) * elements);
      const places = antithetic ? [start, rows + start] : [start];
      await ask(await chunkFor(part.length / elements, antithetic), blocks, { noise: part, places, largest });
    }
    for (let i = 0; i < answers; i++) largest.margins[i] = largest.scores[i] - largest.second[i];
    return { rows: largest.rows, scores: largest.scores, margins: largest.margins };
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    setOffsets(offsets) {
      checkLength('offsets', offsets.length, offsets.length === count ? null : `[count] = [${count}]`);
      writeOffsets(blocks, offsets);
    },
    argmax(noise, { antithetic = false } = {}) {
      checkLength('noise', noise.length, noise.length % elements === 0 ? null : `[rows, ${elements}]`);
      const turn = last.then(() => answer(noise, antithetic));
      last = turn.catch(() => {});
      return turn;
    },
    release() {
      for (const chunk of chunks.values()) void chunk.then(releaseChunk);
      chunks.clear();
      for (const { data, offsets } of blocks) {
        data.release();
        offsets.release();
      }
    },
  };
}

function checkLength(name: string, length: number, wanted: string | null): void {
  if (wanted === null) return;
  throw new ShapeError({
    expected: `\`${name}\` to be ${wanted}`,
    got: `${length} numbers`,
    where: 'engine/argmax-products',
  });
}
