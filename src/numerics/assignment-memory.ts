/** The memory of the assignment solver: one block that its WebAssembly kernels and its TypeScript both see, kept from problem to problem. */
import { type AssignmentKernels, assignmentModule, type Cell, cells } from './assignment-kernels.ts';

/** What of WebAssembly is used here; the types of Node 20 do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  readonly Memory: new (limits: { readonly initial: number }) => WasmMemory;
};

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What a problem needs of the memory. */
export interface AssignmentSizes {
  readonly rows: number;
  readonly columns: number;
  /** Lines of costs that are held at a time. */
  readonly lines: number;
  readonly float32: boolean;
}

/** The arrays of a problem. What they hold at first is what the problem before left there, except for the padding. */
export interface AssignmentMemory {
  readonly sizes: AssignmentSizes;
  readonly kernels: AssignmentKernels;
  /** Where `line` begins, in bytes, and how many of its numbers a row takes: the columns, padded to a multiple of four. */
  readonly lineAt: number;
  readonly lineLength: number;
  /** Costs, float32 or float64 [lines, lineLength]. */
  readonly line: Float32Array | Float64Array;
  /** float64 [columns] */
  readonly duals: Float64Array;
  /** int32 [rows] and [columns] */
  readonly columnOf: Int32Array;
  readonly rowOf: Int32Array;
  /** float64 [rows] */
  readonly pairCost: Float64Array;
  /** int32 [rows] */
  readonly free: Int32Array;
  /** Most candidates of a row, and the place that each row has for them: a few more, since four are written at a time. */
  readonly width: number;
  readonly stride: number;
  /** int32 [rows] */
  readonly count: Int32Array;
  /** int32 and float64 [rows, stride] */
  readonly column: Int32Array;
  readonly cost: Float64Array;
  /** float64 [rows] */
  readonly bound: Float64Array;
  read(cell: Cell): number;
  write(cell: Cell, value: number): void;
}

const pageBytes = 2 ** 16;

/** Memory above this is not kept after the problem that needed it. */
const keptBytes = 2 ** 26;

/** Columns that the kernels treat at once. */
const group = 4;

/** Modules, memory and arrays that the next problem may use again; each thread has its own. */
const modules: Partial<Record<'float32' | 'float64', object>> = {};
let kept: { readonly block: WasmMemory; readonly arrays: AssignmentMemory } | null = null;

/** The arrays for a problem: those of the one before if its sizes were the same. */
export function openAssignmentMemory(sizes: AssignmentSizes): AssignmentMemory {
  const { rows, columns, lines, float32 } = sizes;
  const before = kept?.arrays.sizes;
  const same =
    before?.rows === rows && before.columns === columns && before.lines === lines && before.float32 === float32;
  if (kept !== null && same) return kept.arrays;
  const block = kept?.block ?? new WebAssembly.Memory({ initial: 1 });
  const arrays = layOut(block, sizes);
  kept = block.buffer.byteLength > keptBytes ? null : { block, arrays };
  return arrays;
}

function instantiate(memory: WasmMemory, name: keyof typeof modules): AssignmentKernels {
  modules[name] ??= new WebAssembly.Module(assignmentModule(name));
  // The module exports what the interface says.
  return new WebAssembly.Instance(modules[name], { env: { memory } }).exports as AssignmentKernels;
}

/** Places of arrays one after another from the beginning of a memory, each at a multiple of 16 bytes. */
function placer() {
  let end = 0;
  return {
    place(bytes: number): number {
      const at = end;
      end = at + 16 * Math.ceil(bytes / 16);
      return at;
    },
    end: () => end,
  };
}

/** Fewer candidates need more selections, more make each scan longer. Measured: 16 for up to 1024 points, 64 for 4096 and more. */
const candidatesOf = (rows: number) => Math.min(64, Math.max(16, 2 * (rows >> 7)));

function layOut(block: WasmMemory, sizes: AssignmentSizes): AssignmentMemory {
  const { rows, columns, lines, float32 } = sizes;
  const width = candidatesOf(rows);
  const stride = width + group;
  const lineLength = group * Math.ceil(columns / group);
  const { place, end } = placer();
  const cellsAt = place(4 * cells.length);
  const dualsAt = place(8 * lineLength);
  const columnOfAt = place(4 * rows);
  const rowOfAt = place(4 * columns);
  const pairCostAt = place(8 * rows);
  const freeAt = place(4 * rows);
  const countAt = place(4 * rows);
  const columnAt = place(4 * rows * stride);
  const costAt = place(8 * rows * stride);
  const boundAt = place(8 * rows);
  const lineAt = place((float32 ? 4 : 8) * lines * lineLength);
  const missing = end() - block.buffer.byteLength;
  if (missing > 0) block.grow(Math.ceil(missing / pageBytes));
  const { buffer } = block;
  const header = new Int32Array(buffer, cellsAt, cells.length);
  const write = (cell: Cell, value: number) => {
    header[cells.indexOf(cell)] = value;
  };
  const fixed = {
    columns,
    width,
    stride,
    dualsAt,
    columnOfAt,
    rowOfAt,
    pairCostAt,
    freeAt,
    countAt,
    columnAt,
    costAt,
    boundAt,
  };
  for (const [cell, value] of Object.entries(fixed)) write(cell as Cell, value);
  const line = new (float32 ? Float32Array : Float64Array)(buffer, lineAt, lines * lineLength);
  line.fill(Number.POSITIVE_INFINITY);
  new Float64Array(buffer, dualsAt, lineLength).fill(0);
  return {
    sizes,
    kernels: instantiate(block, float32 ? 'float32' : 'float64'),
    lineAt,
    lineLength,
    line,
    duals: new Float64Array(buffer, dualsAt, columns),
    columnOf: new Int32Array(buffer, columnOfAt, rows),
    rowOf: new Int32Array(buffer, rowOfAt, columns),
    pairCost: new Float64Array(buffer, pairCostAt, rows),
    free: new Int32Array(buffer, freeAt, rows),
    width,
    stride,
    count: new Int32Array(buffer, countAt, rows),
    column: new Int32Array(buffer, columnAt, rows * stride),
    cost: new Float64Array(buffer, costAt, rows * stride),
    bound: new Float64Array(buffer, boundAt, rows),
    read: (cell) => header[cells.indexOf(cell)]!,
    write,
  };
}
