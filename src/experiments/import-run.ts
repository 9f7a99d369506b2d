/** Weights from safetensors files as runs, which are sampled and measured like any other. */
import { mkdirSync } from 'node:fs';
import { DataError } from '../errors.ts';
import { refusePickle } from '../formats/refuse-pickle.ts';
import { safetensor, toFloat32 } from '../formats/safetensors.ts';
import { type DeferredTensor, openSafetensorsFile, type SafetensorsFile } from '../formats/safetensors-file.ts';
import type { SafetensorsEntry } from '../formats/safetensors-header.ts';
import { type ExternalTensor, ownPaths, ownValues } from '../models/checkpoint-map.ts';
import type { Model } from '../models/model.ts';
import { flattenParameters, initializeParameter, type ParameterSpec, parameterCount } from '../models/parameters.ts';
import { writeCheckpoint } from '../training/checkpoint.ts';
import type { RunConfig } from './config.ts';
import type { ImportedTensor, ImportOutcome, ImportRequest } from './import-request.ts';
import { checkFree, writeRunConfig } from './run-directory.ts';
import { openRunModel } from './trained-run.ts';
import { fileHasNullLabel, namedTensors } from './weight-names.ts';

type ExternalTensors = ReadonlyMap<string, ExternalTensor>;

/** Dtypes that hold weights. */
const floats: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

/** How a file differs from what is expected, a line a tensor. */
interface Comparison {
  /** Tensors to be read, by name. */
  readonly fitting: ReadonlyMap<string, ExternalTensor>;
  readonly faults: readonly string[];
}

function faultOf(external: ExternalTensor, { name, dtype, shape }: SafetensorsEntry): string | null {
  if (`${shape}` !== `${external.shape}`) return `misshapen: \`${name}\` is [${shape}], not [${external.shape}]`;
  return floats.includes(dtype) ? null : `no numbers with fractions: \`${name}\` is ${dtype}`;
}

function compare(expected: ExternalTensors, entries: SafetensorsFile['entries']): Comparison {
  const fitting = new Map<string, ExternalTensor>();
  const faults: string[] = [];
  for (const [name, external] of expected) {
    const entry = entries.get(name);
    const fault = entry === undefined ? `missing: \`${name}\` [${external.shape}]` : faultOf(external, entry);
    // What is computed here need not be in the file.
    if (entry === undefined && external.layout === 'fixed') continue;
    if (fault === null) fitting.set(name, external);
    else faults.push(fault);
  }
  for (const { name, shape } of entries.values()) {
    if (!expected.has(name)) faults.push(`extra: \`${name}\` [${shape}]`);
  }
  return { fitting, faults };
}

/** @throws DataError with all differences, each on a line of its own. */
function checkFaults({ faults, fitting }: Comparison, { file, names, lenient }: ImportRequest): void {
  if (faults.length === 0 || (lenient && fitting.size > 0)) return;
  const other = names === 'own' ? 'published' : 'own';
  throw new DataError(
    `${file} does not hold the weights of this model, of which ${fitting.size} tensors fit:\n${faults
      .map((fault) => `  ${fault}`)
      .join(
        '\n',
      )}\nTry --names ${other}, another model with --as and --set model..., or --lenient to import what fits.`,
  );
}

/** The name of the fitting tensor that holds each parameter. */
function holders({ fitting }: Comparison): Map<string, string> {
  return new Map([...fitting].flatMap(([name, external]) => ownPaths(external).map((path) => [path, name] as const)));
}

/** The state of a run with the parameters of a file, each read when it is written; those that the file lacks keep their start. */
function stateOf(
  file: SafetensorsFile,
  comparison: Comparison,
  { model, seed }: { readonly model: Model; readonly seed: number },
): Map<string, DeferredTensor> {
  const holderOf = holders(comparison);
  const valuesAt = async (path: string, spec: ParameterSpec): Promise<Float32Array> => {
    const name = holderOf.get(path);
    if (name === undefined) return initializeParameter(path, spec, seed);
    const tensor = await file.read(name);
    const own = ownValues(comparison.fitting.get(name)!, { name, shape: tensor.shape, data: toFloat32(tensor) });
    return own.find(([held]) => held === path)![1];
  };
  return new Map(
    flattenParameters(model.parameters).map(([path, spec]) => {
      const fetch = async () => safetensor(await valuesAt(path, spec), spec.shape);
      return [`parameters.${path}`, { dtype: 'F32', shape: spec.shape, fetch }] as const;
    }),
  );
}

function tensorsOf({ entries }: SafetensorsFile, { fitting }: Comparison): ImportedTensor[] {
  return [...entries.values()].map(({ name, dtype, shape }) => {
    const external = fitting.get(name);
    return { name, dtype, shape, paths: external === undefined ? [] : ownPaths(external) };
  });
}

/** The config of a run that has its parameters only: a file holds one set of weights, and no average of them beside it. */
function withoutAverage(config: RunConfig): RunConfig {
  return { ...config, training: { ...config.training, ema: null } };
}

/**
 * Makes a run of weights, of 0 images seen: it can be sampled and measured, and not resumed, as nothing is known of its optimiser. Its
 * config says `training.ema` null. Weights are read and written one tensor at a time, so that files larger than the memory will do.
 * @throws DataError if the file is a pickle or damaged, or, unless the request is lenient, if a tensor is missing, extra or misshapen:
 *   all of these are listed. ConfigError if the folder is not free or no published network has the config's form.
 */
export async function importRun(request: ImportRequest): Promise<ImportOutcome> {
  const { directory } = request;
  const config = withoutAverage(request.config);
  refusePickle(request.file);
  checkFree(directory);
  const file = await openSafetensorsFile(request.file);
  try {
    const { model } = await openRunModel(config);
    const comparison = compare(
      namedTensors({ ...request, nullLabel: fileHasNullLabel(file, model) }, config, model),
      file.entries,
    );
    checkFaults(comparison, request);
    mkdirSync(directory, { recursive: true });
    const { checkpoints } = writeRunConfig(directory, config);
    const { seed } = config;
    const content = { imagesSeen: 0, updates: 0, seed, tensors: stateOf(file, comparison, { model, seed }) };
    const held = holders(comparison);
    return {
      directory,
      checkpoint: await writeCheckpoint(checkpoints, content, { keep: 1 }),
      parameterCount: parameterCount(model.parameters),
      tensors: tensorsOf(file, comparison),
      missing: flattenParameters(model.parameters).flatMap(([path]) => (held.has(path) ? [] : [path])),
    };
  } finally {
    await file.close();
  }
}
