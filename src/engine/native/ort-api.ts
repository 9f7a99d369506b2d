/**
 * ONNX Runtime's C API as typed functions. The function table is append-only by contract, so a slot number names a function;
 * every status is checked here and becomes a RuntimeError.
 */
import koffi from 'koffi';
import { RuntimeError } from '../../errors.ts';
import type { NativeCall, Pointer } from './executor.ts';
import { loadLibrary, ortVersion, versionError } from './library.ts';

/** Version of the function table that is asked for; all slots below exist in it. */
const apiVersion = 22;

/** What a C parameter type takes from JavaScript. Arrays and buffers are passed in place. */
interface ParameterTypes {
  readonly int: number;
  readonly size: number;
  readonly bool: boolean;
  readonly string: string;
  readonly path: string;
  readonly strings: readonly string[];
  readonly pointer: Pointer | ArrayBuffer | ArrayBufferView | null;
}
type ParameterType = keyof ParameterTypes;

const nativeTypes: { readonly [K in ParameterType]: string } = {
  int: 'int',
  size: 'size_t',
  bool: 'bool',
  string: 'str',
  // `ORTCHAR_T *`
  path: process.platform === 'win32' ? 'str16' : 'str',
  strings: 'const char **',
  pointer: 'void *',
};

/** Functions that return a status, with their slots and parameters; a created object comes last, as a pointer to a pointer. */
const statusFunctions = {
  CreateEnv: [3, 'int', 'string', 'pointer'],
  DisableTelemetryEvents: [6, 'pointer'],
  CreateSessionFromArray: [8, 'pointer', 'pointer', 'size', 'pointer', 'pointer'],
  CreateSessionOptions: [10, 'pointer'],
  EnableProfiling: [14, 'pointer', 'path'],
  DisableMemPattern: [17, 'pointer'],
  SetSessionGraphOptimizationLevel: [23, 'pointer', 'int'],
  SetIntraOpNumThreads: [24, 'pointer', 'int'],
  CreateRunOptions: [39, 'pointer'],
  RunOptionsSetTerminate: [46, 'pointer'],
  RunOptionsUnsetTerminate: [47, 'pointer'],
  CreateTensorAsOrtValue: [48, 'pointer', 'pointer', 'size', 'int', 'pointer'],
  CreateTensorWithDataAsOrtValue: [49, 'pointer', 'pointer', 'size', 'pointer', 'size', 'int', 'pointer'],
  CreateMemoryInfo: [68, 'string', 'int', 'int', 'int', 'pointer'],
  CreateCpuMemoryInfo: [69, 'int', 'int', 'pointer'],
  AllocatorFree: [76, 'pointer', 'pointer'],
  GetAllocatorWithDefaultOptions: [78, 'pointer'],
  SessionEndProfiling: [110, 'pointer', 'pointer', 'pointer'],
  GetAvailableProviders: [125, 'pointer', 'pointer'],
  ReleaseAvailableProviders: [126, 'pointer', 'int'],
  AddSessionConfigEntry: [130, 'pointer', 'string', 'string'],
  CreateAllocator: [131, 'pointer', 'pointer', 'pointer'],
  RunWithBinding: [133, 'pointer', 'pointer', 'pointer'],
  CreateIoBinding: [134, 'pointer', 'pointer'],
  // Its name as a pointer to characters, so that another thread can make the call.
  BindInput: [136, 'pointer', 'pointer', 'pointer'],
  BindOutput: [137, 'pointer', 'string', 'pointer'],
  SynchronizeBoundInputs: [202, 'pointer'],
  SynchronizeBoundOutputs: [203, 'pointer'],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, 'pointer', 'pointer'],
  CreateCUDAProviderOptions: [205, 'pointer'],
  SessionOptionsAppendExecutionProvider: [216, 'pointer', 'string', 'strings', 'strings', 'size'],
  SetDeterministicCompute: [273, 'pointer', 'bool'],
} as const satisfies Record<string, readonly [number, ...ParameterType[]]>;

/** Functions that release one object. */
const releaseFunctions = {
  ReleaseEnv: 92,
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseRunOptions: 97,
  ReleaseSessionOptions: 100,
  ReleaseAllocator: 132,
  ReleaseIoBinding: 135,
  ReleaseCUDAProviderOptions: 208,
} as const;

const errorMessageSlot = 2;

type StatusFunction = keyof typeof statusFunctions;
/** Functions that take long enough for a thread of their own. */
type LongFunction = 'BindInput' | 'CreateSessionFromArray' | 'RunWithBinding';
export type ReleaseFunction = keyof typeof releaseFunctions;

type Arguments<T extends readonly unknown[]> = T extends readonly [number, ...infer P extends readonly ParameterType[]]
  ? { [K in keyof P]: ParameterTypes[P[K]] }
  : never;
type AllButLast<T extends readonly unknown[]> = T extends readonly [...infer Head, unknown] ? Head : never;
type CallArguments<F extends StatusFunction> = Arguments<(typeof statusFunctions)[F]>;
type CreateArguments<F extends StatusFunction> = AllButLast<CallArguments<F>>;

/** The function table. Every method throws a RuntimeError that carries ONNX Runtime's message. */
export interface OrtApi {
  call<F extends StatusFunction>(name: F, ...args: CallArguments<F>): void;
  /** For functions whose last parameter receives the created object: its address. */
  create<F extends StatusFunction>(name: F, ...args: CreateArguments<F>): Pointer;
  /** The call as data, for another thread, which gets a status to `check`. */
  prepare<F extends LongFunction>(name: F, ...args: CallArguments<F> & readonly (Pointer | number)[]): NativeCall;
  /** @throws RuntimeError for a status that is a failure. */
  check(status: Pointer | null): void;
  release(name: ReleaseFunction, pointer: Pointer): void;
}

type NativeFunction = ReturnType<typeof koffi.decode>;

/**
 * Opens the library and reads its function table.
 * @throws RuntimeError if the library is missing or of another version.
 */
export function openOrtApi(): OrtApi {
  const library = loadLibrary();
  const base: Pointer = library.func('OrtGetApiBase', 'void *', [])();
  const addressOf = (table: Pointer, slot: number): Pointer =>
    koffi.decode(table, slot * koffi.sizeof('void *'), 'void *');
  const member = (table: Pointer, slot: number, result: string, parameters: readonly string[]): NativeFunction =>
    koffi.decode(addressOf(table, slot), koffi.proto(result, [...parameters]));
  const version: string = member(base, 1, 'str', [])();
  const table: Pointer | null = member(base, 0, 'void *', ['uint32_t'])(apiVersion);
  if (version !== ortVersion || !table) throw versionError('the ONNX Runtime library', version);

  const status = bindAll(statusFunctions, ([slot, ...parameters]) =>
    member(table, slot, 'void *', nativeTypesOf(parameters)),
  );
  const release = bindAll(releaseFunctions, (slot) => member(table, slot, 'void', ['void *']));
  const errorMessage = member(table, errorMessageSlot, 'str', ['void *']);
  const check = (status: Pointer | null) => {
    if (!status) return;
    const message: string = errorMessage(status);
    release.ReleaseStatus(status);
    throw statusError(message);
  };
  return {
    call: (name, ...args) => check(status[name](...args)),
    create(name, ...args) {
      const created = new BigUint64Array(1);
      check(status[name](...args, created));
      return created[0]!;
    },
    prepare(name, ...values) {
      const [slot, ...parameters] = statusFunctions[name];
      return { address: addressOf(table, slot), types: nativeTypesOf(parameters), values };
    },
    check,
    release: (name, pointer) => release[name](pointer),
  };
}

/** A string as C wants it. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

function nativeTypesOf(parameters: readonly ParameterType[]): string[] {
  return parameters.map((type) => nativeTypes[type]);
}

function bindAll<K extends string, V>(
  table: Readonly<Record<K, V>>,
  bind: (entry: V) => NativeFunction,
): Record<K, NativeFunction> {
  const entries = Object.entries<V>(table).map(([name, entry]) => [name, bind(entry)] as const);
  // The keys are those of `table`.
  return Object.fromEntries(entries) as Record<K, NativeFunction>;
}

const nodeFailure =
  /Non-zero status code returned while running (?<type>\S+) node\. Name:'(?<node>[^']*)' Status Message: (?<reason>[\s\S]*)/;

/** The error for a message of ONNX Runtime; it names the node that failed where the message does. */
export function statusError(message: string): RuntimeError {
  const failure = nodeFailure.exec(message)?.groups;
  if (failure === undefined) return new RuntimeError(`ONNX Runtime failed: ${message.trim()}`);
  const { node, type, reason } = failure;
  return new RuntimeError({ expected: `node \`${node}\` (${type}) to run`, got: `"${reason!.trim()}"` });
}
