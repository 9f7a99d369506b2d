import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../../../src/engine/native/native-runtime.ts';
import { importOnnx } from '../../../../src/engine/onnx/import-model.ts';
import { tensorType, trace } from '../../../../src/engine/trace.ts';
import { convertTfjs } from '../../../../src/metrics/features/tfjs/convert-tfjs.ts';
import type { KerasLayer, LayersConfig, TfjsModel } from '../../../../src/metrics/features/tfjs/tfjs-model.ts';
import { mulberry32Array } from '../../../../src/numerics/mulberry32.ts';
import { executeGraph, runModel } from '../../../engine/execute-graph.ts';

interface GoldenModel {
  readonly name: string;
  readonly size: readonly [number, number];
  readonly batch: number;
  readonly seed: number;
  readonly model: TfjsModel;
  readonly weights: string;
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly values: number[] }[];
}

const goldens: { readonly cases: readonly GoldenModel[] } = JSON.parse(
  readFileSync(new URL('../../../golden/tfjs.json', import.meta.url), 'utf8'),
);
const [layers, graph] = goldens.cases;

const runtime = await openNativeRuntime({ threads: 1 });
afterAll(() => runtime.release());

/** Channels-last pixels with channels first. */
function channelsFirst(values: ArrayLike<number>, [batch, height, width, channels]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  const area = height! * width!;
  for (let n = 0; n < batch!; n++)
    for (let at = 0; at < area; at++)
      for (let c = 0; c < channels!; c++)
        result[(n * channels! + c) * area + at] = values[(n * area + at) * channels! + c]!;
  return result;
}

function bytesOf({ weights }: GoldenModel): Uint8Array {
  return new Uint8Array(Buffer.from(weights, 'base64'));
}

/** float32 [batch, 3, ...size]. */
function goldenImages({ size, batch, seed }: GoldenModel): Float32Array {
  const pixels = Float32Array.from(mulberry32Array(seed, batch * size[0] * size[1] * 3));
  return channelsFirst(pixels, [batch, ...size, 3]);
}

/** Outputs of the converted model on the golden images. */
async function runConverted(golden: GoldenModel) {
  const names = golden.outputs.map(({ name }) => name);
  const imported = importOnnx(convertTfjs(golden.model, bytesOf(golden), { outputs: names }));
  const types = { images: tensorType([golden.batch, 3, ...golden.size]) };
  const traced = trace((inputs) => imported.apply({}, inputs), types);
  return executeGraph(runtime, traced, { images: goldenImages(golden) });
}

describe('convertTfjs', () => {
  it.each(goldens.cases)('$name: outputs are those of TensorFlow.js', async (golden) => {
    const outputs = await runConverted(golden);
    for (const { name, shape, values } of golden.outputs) {
      const wanted = shape.length === 4 ? channelsFirst(values, shape) : values;
      const got = outputs[name]!;
      expect(got.length).toBe(wanted.length);
      const differences = Array.from(wanted, (value, i) => Math.abs(value - Number(got[i])));
      expect(Math.max(...differences)).toBeLessThan(1e-5);
    }
  });

  it('writes files that ONNX Runtime takes as they are', async () => {
    const { size, batch, model, outputs } = graph!;
    const inputs = [{ name: 'images', dtype: 'float32', shape: [batch, 3, ...size] }] as const;
    const results = outputs
      .filter(({ shape }) => shape.length === 2)
      .map(({ name, shape }) => ({ name, dtype: 'float32', shape }) as const);
    const names = results.map(({ name }) => name);
    const file = { bytes: convertTfjs(model, bytesOf(graph!), { outputs: names }), inputs, outputs: results };
    const run = await runModel(runtime, file, { inputs: { images: goldenImages(graph!) } });
    for (const { name, values } of outputs.filter((output) => names.includes(output.name))) {
      expect([...(run.outputs[name] as Float32Array)].every((value, i) => Math.abs(value - values[i]!) < 1e-5)).toBe(
        true,
      );
    }
    expect(names).toEqual(['means', 'squeezed', 'classes']);
  });

  it('keeps what the wanted values need, with the names of their layers', () => {
    const cut = importOnnx(convertTfjs(layers!.model, bytesOf(layers!), { outputs: ['clipped'] }));
    expect(cut.values).toEqual(['stem', 'norm', 'clipped']);
    expect(cut.inputs).toMatchObject([{ name: 'images', shape: ['batch', 3, 'height', 'width'] }]);
    const whole = importOnnx(convertTfjs(graph!.model, bytesOf(graph!)));
    expect(whole.outputs.map(({ name }) => name)).toEqual(['joined', 'means', 'squeezed', 'classes']);
  });

  it('takes images of other sizes', () => {
    const cut = importOnnx(convertTfjs(layers!.model, bytesOf(layers!), { outputs: ['pooled'] }));
    const traced = trace((inputs) => cut.apply({}, inputs), { images: tensorType([5, 3, 21, 17]) });
    expect(traced.values[traced.outputs[0]!.value]!.shape).toEqual([5, 8]);
  });
});

describe('convertTfjs refuses', () => {
  const { modelTopology, weightsManifest } = layers!.model;
  const config = (modelTopology as { model_config: { config: LayersConfig } }).model_config.config; // the golden layers-model
  const changed = (change: (layer: KerasLayer) => KerasLayer): TfjsModel => ({
    weightsManifest,
    modelTopology: { model_config: { class_name: 'Model', config: { ...config, layers: config.layers.map(change) } } },
  });
  const stem = (change: object) => changed((layer) => (layer.name === 'stem' ? { ...layer, ...change } : layer));

  it.each([
    ['bytes that are not those of the weights', layers!.model, new Uint8Array(10), 'Expected the bytes of'],
    ['unknown layers', stem({ class_name: 'LSTM' }), null, 'Expected layer `stem` to be Activation, Add'],
    [
      'sequences',
      { weightsManifest, modelTopology: { model_config: { class_name: 'Sequential', config: [] } } },
      null,
      'Sequential',
    ],
    [
      'layers without weights',
      stem({ config: { use_bias: true, kernel_size: [3, 3] } }),
      null,
      'a weight `stem/bias`; got none',
    ],
    ['circles', stem({ inbound_nodes: [[['sum', 0, 0, {}]]] }), null, 'a graph without circles'],
    ['links into nowhere', stem({ inbound_nodes: [[['other', 0, 0, {}]]] }), null, 'Expected `other` in the model'],
    [
      'other paddings',
      stem({ config: { padding: 'causal', use_bias: false } }),
      null,
      'padding SAME or VALID; got causal',
    ],
  ] as const)('%s', (_what, model, bytes, message) => {
    expect(() => convertTfjs(model, bytes ?? bytesOf(layers!))).toThrow(message);
  });
});
