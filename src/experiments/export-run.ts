/** Trained runs as files for other programs: ONNX networks and samplers, weights as safetensors. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeModel } from '../engine/onnx/write-model.ts';
import { ConfigError } from '../errors.ts';
import { safetensor } from '../formats/safetensors.ts';
import { writeSafetensorsFile } from '../formats/safetensors-file.ts';
import { parameterCount, parameterTypes } from '../models/parameters.ts';
import type { ButcherTableau } from '../sampling/solvers/solver.ts';
import { buildSolver } from './build.ts';
import { exportedSampler, exportedVelocity } from './export-graphs.ts';
import { exportReadme } from './export-readme.ts';
import type { ExportOutcome, ExportRequest } from './export-request.ts';
import { openParameters, parameterGroup, readParameters } from './run-parameters.ts';
import { openRunModel, openTrainedRun, type TrainedRun } from './trained-run.ts';
import { namedTensors, needsNullLabel, valuesOf } from './weight-names.ts';

type OpenExport = Awaited<ReturnType<typeof openRunModel>> & {
  readonly run: TrainedRun;
  readonly request: ExportRequest;
};

/** @throws ConfigError if the solver chooses its steps while it runs. */
function fixedSteps({ sampling: { solver } }: ExportRequest): { tableau: ButcherTableau; grid: Float64Array } {
  const { solver: built, grid } = buildSolver(solver);
  if (built.tableau !== null) return { tableau: built.tableau, grid };
  throw new ConfigError({
    expected: 'a solver with fixed steps, whose graph can be written out',
    got: solver.kind,
    where: 'experiments/export-run',
    remedy: '--solver midpoint --steps 20',
  });
}

/** What the files say about themselves. */
function exportFacts({ run, request, model, data }: OpenExport): Record<string, string> {
  const { config, checkpoint } = run;
  const { solver, guidance } = request.sampling;
  return {
    model: model.name,
    shape: JSON.stringify(model.input.shape),
    classes: JSON.stringify(model.classes === null ? null : data.classes),
    data: data.name,
    ...(config.latent.kind === 'autoencoder' ? { autoencoder: config.latent.encoder ?? '' } : {}),
    images_seen: `${checkpoint.facts.imagesSeen}`,
    parameters: parameterGroup(config, request.ema),
    provider: request.provider,
    ...(request.fusedAttention ? { attention: 'com.microsoft.MultiHeadAttention' } : {}),
    solver: JSON.stringify(solver),
    guidance: `${model.classes === null ? 1 : (guidance ?? 1)}`,
    noise: 'philox4x32-10, box-muller',
    config_sha256: createHash('sha256').update(JSON.stringify(config)).digest('hex'),
    checkpoint_sha256: checkpoint.facts.sha256,
  };
}

function evaluationsOf({ sampling: { guidance, solver } }: ExportRequest, isGuidable: boolean): number {
  const { solver: built, grid } = buildSolver(solver);
  const perVelocity = isGuidable && (guidance ?? 1) !== 1 ? 2 : 1;
  return (grid.length - 1) * (built.evaluationsPerStep ?? 0) * perVelocity;
}

async function writeNetworks(open: OpenExport): Promise<string[]> {
  const { model, request, data, run } = open;
  const { folder, provider, batch, fusedAttention, sampling, mostInsideBytes } = request;
  const parameters = await readParameters(run.checkpoint, parameterGroup(run.config, request.ema));
  const target = { provider, batch, fusedAttention, parameters };
  const network = { model, parameterTypes: parameterTypes(model.parameters) };
  const metadata = exportFacts(open);
  const limit = mostInsideBytes === undefined ? {} : { mostInsideBytes };
  const guidance = model.classes === null ? 1 : (sampling.guidance ?? 1);
  const sums = provider === 'webgpu' ? 'float32' : 'float64';
  const options = { ...network, ...fixedSteps(request), guidance, sums, latent: data.latent } as const;
  const velocity = exportedVelocity(network, target);
  const sampler = exportedSampler(options, target, request.unrolled);
  const { solver: _sampler, guidance: _weight, noise: _noise, ...networkFacts } = metadata;
  const paths = [
    ...writeModel(join(folder, 'velocity.onnx'), velocity, { metadata: networkFacts, ...limit }),
    ...writeModel(join(folder, 'sampler.onnx'), sampler, { metadata, ...limit }),
  ];
  const readme = join(folder, 'README.md');
  const names = data.latent === null ? 'samples' : 'pixels';
  const evaluations = evaluationsOf(request, model.classes !== null);
  writeFileSync(
    readme,
    exportReadme({ facts: metadata, velocity, sampler, output: names, evaluations, paths, unrolled: request.unrolled }),
  );
  return [...paths, readme];
}

async function writeWeights(open: OpenExport): Promise<string[]> {
  const { model, request, run } = open;
  const { solver: _solver, guidance: _guidance, noise: _noise, provider: _provider, ...facts } = exportFacts(open);
  const path = join(request.folder, 'weights.safetensors');
  const parameters = await openParameters(run.checkpoint, parameterGroup(run.config, request.ema));
  try {
    const nullLabel = await needsNullLabel(model, parameters.read);
    const tensors = [...namedTensors({ ...request, nullLabel }, run.config, model)].map(([name, external]) => {
      const { shape } = external;
      const fetch = async () => safetensor(await valuesOf(external, parameters.read), shape);
      return [name, { dtype: 'F32', shape, fetch }] as const;
    });
    await writeSafetensorsFile(path, new Map(tensors), { ...facts, names: request.names });
  } finally {
    await parameters.close();
  }
  return [path];
}

/**
 * Writes the network of a trained run for other programs: `velocity.onnx` (the network), `sampler.onnx` (seeds in, pixels out) and a
 * README.md; or its weights as `weights.safetensors`.
 * @throws ConfigError if the solver chooses its own steps, the batch cannot be open, or no published checkpoint has the form of the
 *   network whose weights are to have published names; CheckpointError if nothing is trained; DataError if the disk refuses.
 */
export async function exportRun(request: ExportRequest): Promise<ExportOutcome> {
  const run = await openTrainedRun(request.model);
  if (request.weights === 'onnx') fixedSteps(request);
  const { data, model } = await openRunModel(run.config);
  mkdirSync(request.folder, { recursive: true });
  const open = { run, request, data, model };
  return {
    paths: await (request.weights === 'onnx' ? writeNetworks(open) : writeWeights(open)),
    batch: request.batch,
    parameterCount: parameterCount(model.parameters),
    evaluations: request.weights === 'onnx' ? evaluationsOf(request, model.classes !== null) : 0,
  };
}
