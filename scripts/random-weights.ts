/**
 * Random weights of a config's network in a safetensors file under published names, made one tensor at a time:
 * `node --import tsx scripts/random-weights.ts <preset or config> <file.safetensors> [seed]`.
 *
 * The numbers mean nothing; the file has the size, the names and the layouts of a checkpoint. Every weight is its own starting value, and
 * what starts as a constant is moved by normal noise of deviation 0.02, so that no part of the network is silent.
 */
import { buildModel } from '../src/experiments/build.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import { openRunData } from '../src/experiments/run-data.ts';
import { namedTensors, valuesOf } from '../src/experiments/weight-names.ts';
import { safetensor } from '../src/formats/safetensors.ts';
import { writeSafetensorsFile } from '../src/formats/safetensors-file.ts';
import { flattenParameters, initializeParameter, normal, parameterCount } from '../src/models/parameters.ts';

const [name, path, seed = '0'] = process.argv.slice(2);
if (name === undefined || path === undefined) throw new Error('Usage: random-weights.ts <preset> <file> [seed]');
const config = readConfig(name);
const { shape, classes } = await openRunData(config);
const model = buildModel(config.model, { shape, classes: classes?.length ?? null });
const specs = new Map(flattenParameters(model.parameters));

async function randomValues(parameter: string): Promise<Float32Array> {
  const spec = specs.get(parameter)!;
  const { scale, offset } = spec.initialize;
  const initialize = scale === 0 ? { ...normal(0.02), offset } : spec.initialize;
  return initializeParameter(parameter, { ...spec, initialize }, Number(seed));
}

const layout = { names: 'published', attentionRows: 'head', nullLabel: true } as const;
const tensors = [...namedTensors(layout, config, model)].map(([tensor, external]) => {
  const fetch = async () => safetensor(await valuesOf(external, randomValues), external.shape);
  return [tensor, { dtype: 'F32', shape: external.shape, fetch }] as const;
});
const { bytes, sha256 } = await writeSafetensorsFile(path, new Map(tensors), { model: model.name, seed });
const [count, size] = [parameterCount(model.parameters), bytes].map((number) => number.toLocaleString('en'));
console.log(`${model.name}: ${count} parameters, ${size} bytes, sha256 ${sha256}`);
