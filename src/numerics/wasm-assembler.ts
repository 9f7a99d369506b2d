/**
 * A small assembler of WebAssembly modules: functions over one imported memory, written as expressions and statements and turned into the
 * binary format of [haas:17]. It holds the instructions that the kernels of `numerics/` use, and checks types where expressions are built.
 */

/** Type of a value on the stack; v128 is two float64, four float32 or integers. */
export type ValueType = 'i32' | 'f64' | 'v128';

/** An expression: the code that leaves its value on the stack. */
export interface Value<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: readonly number[];
}

/** A variable of a function. */
export interface Local<T extends ValueType = ValueType> extends Value<T> {
  readonly index: number;
}

/** Code that leaves nothing on the stack. */
export interface Statement {
  readonly code: readonly number[];
}

/** What a function is written with, in the order in which it runs. */
export interface FunctionWriter {
  /** A new variable with a first value. */
  local<T extends ValueType>(first: Value<T>): Local<T>;
  set<T extends ValueType>(local: Local<T>, value: Value<T>): void;
  run(statement: Statement): void;
  when(condition: Value<'i32'>, body: () => void, otherwise?: () => void): void;
  /** Runs the body as long as the condition, evaluated before it, is not 0. */
  loop(condition: Value<'i32'>, body: () => void): void;
  /** Ends the function with its result; nothing if it has none. */
  answer(value?: Value): void;
}

/** The parameters of a function, as variables. */
type Parameters<P extends readonly ValueType[]> = { readonly [K in keyof P]: Local<P[K]> };

/** A function that the module exports. */
export interface WasmFunction<P extends readonly ValueType[] = readonly ValueType[]> {
  readonly parameters: P;
  readonly result: ValueType | null;
  /** Writes the body; the parameters come in their order. */
  write(writer: FunctionWriter, ...parameters: Parameters<P>): void;
}

/** A function of a module, its parameters checked against their use. */
export function wasmFunction<const P extends readonly ValueType[]>(definition: WasmFunction<P>): WasmFunction {
  // Whoever calls `write` takes the parameters from the definition itself.
  return definition as unknown as WasmFunction;
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** Signed LEB128 of a 32-bit integer. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; rest >>= 7) {
    const low = rest & 127;
    if (rest >> 6 === 0 || rest >> 6 === -1) return [...bytes, low];
    bytes.push(low | 128);
  }
}

const simd = (opcode: number) => [0xfd, ...unsigned(opcode)];

const unary =
  <T extends ValueType, A extends ValueType>(type: T, _of: A, code: readonly number[]) =>
  (a: Value<A>): Value<T> => ({ type, code: [...a.code, ...code] });

const binary =
  <T extends ValueType, A extends ValueType>(type: T, _of: A, code: readonly number[]) =>
  (a: Value<A>, b: Value<A>): Value<T> => ({ type, code: [...a.code, ...b.code, ...code] });

/** A read of memory at an address and a constant number of bytes beyond it; alignment is a hint that nothing depends on. */
const load =
  <T extends ValueType>(type: T, code: readonly number[]) =>
  (address: Value<'i32'>, offset = 0): Value<T> => ({ type, code: [...address.code, ...code, 0, ...unsigned(offset)] });

const store =
  <T extends ValueType>(_type: T, code: readonly number[]) =>
  (address: Value<'i32'>, value: Value<T>, offset = 0): Statement => ({
    code: [...address.code, ...value.code, ...code, 0, ...unsigned(offset)],
  });

/** 32-bit integers and addresses; comparisons give 1 or 0. */
export const i32 = {
  constant: (value: number): Value<'i32'> => ({ type: 'i32', code: [0x41, ...signed(value)] }),
  load: load('i32', [0x28]),
  store: store('i32', [0x36]),
  not: unary('i32', 'i32', [0x45]),
  equal: binary('i32', 'i32', [0x46]),
  notEqual: binary('i32', 'i32', [0x47]),
  less: binary('i32', 'i32', [0x48]),
  /** Of addresses, which are unsigned. */
  before: binary('i32', 'i32', [0x49]),
  greater: binary('i32', 'i32', [0x4a]),
  add: binary('i32', 'i32', [0x6a]),
  subtract: binary('i32', 'i32', [0x6b]),
  multiply: binary('i32', 'i32', [0x6c]),
  and: binary('i32', 'i32', [0x71]),
  or: binary('i32', 'i32', [0x72]),
  shiftLeft: binary('i32', 'i32', [0x74]),
  shiftRight: binary('i32', 'i32', [0x76]),
};

/** Float64 numbers. */
export const f64 = {
  constant: (value: number): Value<'f64'> => ({
    type: 'f64',
    code: [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  }),
  load: load('f64', [0x2b]),
  /** A float32 of memory. */
  loadFloat32: (address: Value<'i32'>, offset = 0): Value<'f64'> =>
    unary('f64', 'f64', [0xbb])(load('f64', [0x2a])(address, offset)),
  store: store('f64', [0x39]),
  /** As a float32. */
  storeFloat32: (address: Value<'i32'>, value: Value<'f64'>): Statement =>
    store('f64', [0x38])(address, unary('f64', 'f64', [0xb6])(value)),
  equal: binary('i32', 'f64', [0x61]),
  less: binary('i32', 'f64', [0x63]),
  lessOrEqual: binary('i32', 'f64', [0x65]),
  add: binary('f64', 'f64', [0xa0]),
  subtract: binary('f64', 'f64', [0xa1]),
  multiply: binary('f64', 'f64', [0xa2]),
};

const lane = (index: number): number[] => [index];

/** Pairs of float64; comparisons set all bits of a lane, or none. `lesser` and `greater` are for numbers that are not NaN. */
export const f64x2 = {
  load: load('v128', simd(0x00)),
  store: store('v128', simd(0x0b)),
  /** Two float32 of memory, as float64. */
  loadFloat32: (address: Value<'i32'>, offset = 0): Value<'v128'> =>
    unary('v128', 'v128', simd(0x5f))(load('v128', simd(0x5d))(address, offset)),
  /** Two float64 from two places. */
  gather: (first: Value<'i32'>, second: Value<'i32'>): Value<'v128'> => ({
    type: 'v128',
    code: [...second.code, ...load('v128', simd(0x5d))(first).code, ...simd(0x57), 0, 0, ...lane(1)],
  }),
  both: unary('v128', 'f64', simd(0x14)),
  first: unary('f64', 'v128', [...simd(0x21), ...lane(0)]),
  second: unary('f64', 'v128', [...simd(0x21), ...lane(1)]),
  less: binary('v128', 'v128', simd(0x49)),
  more: binary('v128', 'v128', simd(0x4a)),
  atLeast: binary('v128', 'v128', simd(0x4c)),
  add: binary('v128', 'v128', simd(0xf0)),
  subtract: binary('v128', 'v128', simd(0xf1)),
  lesser: binary('v128', 'v128', simd(0xf6)),
  greater: binary('v128', 'v128', simd(0xf7)),
};

/** Four float32. */
export const f32x4 = {
  load: load('v128', simd(0x00)),
  store: store('v128', simd(0x0b)),
  /** One float32 of memory, four times. */
  loadSplat: load('v128', simd(0x09)),
  add: binary('v128', 'v128', simd(0xe4)),
  multiply: binary('v128', 'v128', simd(0xe6)),
  /** Of four zeros. */
  zero: (): Value<'v128'> => ({ type: 'v128', code: [...simd(0x0c), ...new Uint8Array(16)] }),
  /** The lower two, as float64. */
  lowDoubles: unary('v128', 'v128', simd(0x5f)),
  /** The upper two, as float64. */
  highDoubles: (a: Local<'v128'>): Value<'v128'> => {
    const upper = [8, 9, 10, 11, 12, 13, 14, 15].flatMap(lane);
    return unary(
      'v128',
      'v128',
      simd(0x5f),
    )({
      type: 'v128',
      code: [...a.code, ...a.code, ...simd(0x0d), ...upper, ...upper],
    });
  },
};

/** Masks and pairs of integers. */
export const i64x2 = {
  /** Two integers below 2^31. */
  constant: (first: number, second: number): Value<'v128'> => ({
    type: 'v128',
    code: [...simd(0x0c), ...new Uint8Array(Int32Array.of(first, 0, second, 0).buffer)],
  }),
  first: unary('i32', 'v128', [...simd(0x1b), ...lane(0)]),
  second: unary('i32', 'v128', [...simd(0x1b), ...lane(2)]),
  add: binary('v128', 'v128', simd(0xce)),
  and: binary('v128', 'v128', simd(0x4e)),
  /** 1 if neither lane is 0. */
  all: unary('i32', 'v128', simd(0xc3)),
  /** Bit 0 from the first lane's sign, bit 1 from the second's. */
  bits: unary('i32', 'v128', simd(0xc4)),
  /** The lanes of `a` where the mask is set, those of `b` elsewhere. */
  select: (mask: Value<'v128'>, a: Value<'v128'>, b: Value<'v128'>): Value<'v128'> => ({
    type: 'v128',
    code: [...a.code, ...b.code, ...mask.code, ...simd(0x52)],
  }),
};

const typeCodes: { readonly [T in ValueType]: number } = { i32: 0x7f, f64: 0x7c, v128: 0x7b };

const control = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  return: 0x0f,
};
const noResult = 0x40;

/** A count, and the items one after another. */
const vector = (items: readonly (readonly number[])[]) => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: readonly number[]) => [...unsigned(bytes.length), ...bytes];
const section = (id: number, items: readonly (readonly number[])[]) => [id, ...sized(vector(items))];
const text = (value: string) => sized([...new TextEncoder().encode(value)]);

/** The body of a function with its locals, as the code section holds it. */
function functionBody({ parameters, result, write }: WasmFunction): number[] {
  const code: number[] = [];
  const types: ValueType[] = [...parameters];
  const variable = <T extends ValueType>(type: T, index: number): Local<T> => ({
    type,
    index,
    code: [0x20, ...unsigned(index)],
  });
  const writer: FunctionWriter = {
    local(first) {
      const local = variable(first.type, types.length);
      types.push(first.type);
      writer.set(local, first);
      return local;
    },
    set: ({ index }, value) => void code.push(...value.code, 0x21, ...unsigned(index)),
    run: (statement) => void code.push(...statement.code),
    when(condition, body, otherwise) {
      code.push(...condition.code, control.if, noResult);
      body();
      if (otherwise !== undefined) {
        code.push(control.else);
        otherwise();
      }
      code.push(control.end);
    },
    loop(condition, body) {
      code.push(control.block, noResult, control.loop, noResult);
      code.push(...i32.not(condition).code, control.branchIf, 1);
      body();
      code.push(control.branch, 0, control.end, control.end);
    },
    answer: (value) => void code.push(...(value?.code ?? []), control.return),
  };
  write(writer, ...parameters.map((type, index) => variable(type, index)));
  // Every way through a function with a result ends in `answer`; the validator wants to be told so.
  if (result !== null) code.push(control.unreachable);
  code.push(control.end);
  const locals = types.slice(parameters.length).map((type) => [1, typeCodes[type]]);
  return sized([...vector(locals), ...code]);
}

/** Bytes of a module that imports the memory `env.memory` and exports functions by their names. */
export function assembleModule(functions: Readonly<Record<string, WasmFunction>>): Uint8Array {
  const entries = Object.entries(functions);
  const types = entries.map(([, { parameters, result }]) => [
    0x60,
    ...vector(parameters.map((type) => [typeCodes[type]])),
    ...vector(result === null ? [] : [[typeCodes[result]]]),
  ]);
  const memory = [...text('env'), ...text('memory'), 0x02, 0x00, ...unsigned(1)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, [memory]),
    ...section(
      3,
      entries.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      entries.map(([name], index) => [...text(name), 0x00, ...unsigned(index)]),
    ),
    ...section(
      10,
      entries.map(([, each]) => functionBody(each)),
    ),
  ]);
}
