/** Weights from safetensors files as runs, which are sampled and measured like any other. */
import { mkdirSync } from 'node:fs';
import { DataError } from '../errors.ts';
import { refusePickle } from '../formats/refuse-pickle.ts';
import { toFloat32 } from '../formats/safetensors.ts';
import { openSafetensorsFile, type SafetensorsFile } from '../formats/safetensors-file.ts';
import type { SafetensorsEntry } from '../formats/safetensors-header.ts';
import { type ExternalTensor, ownPaths, ownValues } from '../models/checkpoint-map.ts';
import type { Model } from '../models/model.ts';
import { flattenParameters, initializeParameters, parameterCount } from '../models/parameters.ts';
import { type CheckpointTensor, writeCheckpoint } from '../training/checkpoint.ts';
import { buildCheckpointMap } from './build.ts';
import type { RunConfig } from './config.ts';
import type { ImportedTensor, ImportOutcome, ImportRequest } from './import-request.ts';
import { checkFree, writeRunConfig } from './run-directory.ts';
import { parameterGroup } from './run-parameters.ts';
import { openRunModel } from './trained-run.ts';

type ExternalTensors = ReadonlyMap<string, ExternalTensor>;

/** Dtypes that hold weights. */
const floats: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

/** What the file should hold. @throws ConfigError if no published network has the form of the config's. */
function expectedTensors({ names, config }: ImportRequest, model: Model): ExternalTensors {
  if (names === 'published') return buildCheckpointMap(config.model, model).toExternal(model.parameters);
  const parameters = flattenParameters(model.parameters);
  return new Map(parameters.map(([path, { shape }]) => [path, { layout: 'same', path, shape } as const]));
}

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

/** Values of the parameters that the fitting tensors hold, by path. */
async function readFitting(file: SafetensorsFile, { fitting }: Comparison): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, external] of fitting) {
    const tensor = await file.read(name);
    const own = ownValues(external, { name, shape: tensor.shape, data: toFloat32(tensor) });
    for (const [path, array] of own) values.set(path, array);
  }
  return values;
}

/** The state of a run whose parameters are these; where it averages them, the average is the same. */
function stateOf(
  model: Model,
  config: RunConfig,
  values: ReadonlyMap<string, Float32Array>,
): Map<string, CheckpointTensor> {
  const start = initializeParameters(model.parameters, config.seed);
  const groups = new Set(['parameters', parameterGroup(config, true)]);
  const state = new Map<string, CheckpointTensor>();
  for (const group of groups) {
    for (const [path, { shape }] of flattenParameters(model.parameters)) {
      state.set(`${group}.${path}`, { shape, data: values.get(path) ?? start[path]! });
    }
  }
  return state;
}

function tensorsOf({ entries }: SafetensorsFile, { fitting }: Comparison): ImportedTensor[] {
  return [...entries.values()].map(({ name, dtype, shape }) => {
    const external = fitting.get(name);
    return { name, dtype, shape, paths: external === undefined ? [] : ownPaths(external) };
  });
}

/**
 * Makes a run of weights, of 0 images seen: it can be sampled and measured, and not resumed, as nothing is known of its optimiser.
 * @throws DataError if the file is a pickle or damaged, or, unless the request is lenient, if a tensor is missing, extra or misshapen:
 *   all of these are listed. ConfigError if the folder is not free or no published network has the config's form.
 */
export async function importRun(request: ImportRequest): Promise<ImportOutcome> {
  const { config, directory } = request;
  refusePickle(request.file);
  checkFree(directory);
  const file = await openSafetensorsFile(request.file);
  try {
    const { model } = await openRunModel(config);
    const comparison = compare(expectedTensors(request, model), file.entries);
    checkFaults(comparison, request);
    const values = await readFitting(file, comparison);
    mkdirSync(directory, { recursive: true });
    const { checkpoints } = writeRunConfig(directory, config);
    const tensors = stateOf(model, config, values);
    const content = { imagesSeen: 0, updates: 0, seed: config.seed, tensors };
    return {
      directory,
      checkpoint: await writeCheckpoint(checkpoints, content, { keep: 1 }),
      parameterCount: parameterCount(model.parameters),
      tensors: tensorsOf(file, comparison),
      missing: flattenParameters(model.parameters).flatMap(([path]) => (values.has(path) ? [] : [path])),
    };
  } finally {
    await file.close();
  }
}
