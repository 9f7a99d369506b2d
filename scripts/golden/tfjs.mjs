/**
 * Golden outputs of small TensorFlow.js models, from TensorFlow.js itself, for the conversion to ONNX:
 *
 *     npm install --prefix peer @tensorflow/tfjs@4.22.0
 *     TFJS=peer/node_modules/@tensorflow/tfjs/dist/tf.node.js node scripts/golden/tfjs.mjs > test/golden/tfjs.json
 *
 * The file holds model.json and the weights (base64) of each case, and outputs by name for images [batch, height, width, 3] that are
 * filled from mulberry32(seed). Weights are quantised here, as converters do.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const tf = createRequire(import.meta.url)(resolve(process.env.TFJS));

function mulberry32(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Bytes and manifest entry of a weight, random in [-1, 1), or in [0.5, 1.5) where it is a variance. */
function quantised(name, shape, dtype, next) {
  const count = shape.reduce((product, n) => product * n, 1);
  const low = /variance/.test(name) ? 0.5 : -1;
  const width = low === -1 ? 2 : 1;
  if (dtype === 'float32') {
    const values = Float32Array.from({ length: count }, () => low + width * next());
    return { entry: { name, shape, dtype: 'float32' }, bytes: Buffer.from(values.buffer) };
  }
  const quantization = { dtype, min: low, scale: width / (dtype === 'uint8' ? 255 : 65535), original_dtype: 'float32' };
  const entry = { name, shape, dtype: 'float32', quantization };
  if (dtype === 'float16') {
    // Patterns of numbers in [1/16, 2) of either sign.
    const patterns = Uint16Array.from(
      { length: count },
      () => (next() < 0.5 ? 0x8000 : 0) + 0x2c00 + Math.floor(next() * 0x1400),
    );
    return { entry: { ...entry, quantization: { dtype } }, bytes: Buffer.from(patterns.buffer) };
  }
  const Integers = dtype === 'uint8' ? Uint8Array : Uint16Array;
  const integers = Integers.from({ length: count }, () => Math.floor(next() * (dtype === 'uint8' ? 256 : 65536)));
  return { entry, bytes: Buffer.from(integers.buffer) };
}

function integers(name, shape, values) {
  const bytes = Buffer.from(Int32Array.from(values).buffer);
  return { entry: { name, shape, dtype: 'int32' }, bytes };
}

/** A layers-model with weights of all types in turn, and outputs of the named layers. */
async function layersCase(name, { size, batch, seed }, build) {
  const input = tf.input({ shape: [...size, 3], name: 'images' });
  const model = tf.model({ inputs: input, outputs: build(input), name });
  const next = mulberry32(1000 + seed);
  const types = ['uint8', 'uint16', 'float16', 'float32'];
  const weights = model.weights.map((weight, i) =>
    quantised(weight.originalName, weight.shape, /variance/.test(weight.originalName) ? 'uint8' : types[i % 4], next),
  );
  const weightsManifest = [{ paths: ['weights.bin'], weights: weights.map(({ entry }) => entry) }];
  const bytes = Buffer.concat(weights.map((weight) => weight.bytes));
  const modelTopology = { model_config: { class_name: 'Model', config: model.toJSON(null, false).config } };
  const json = { format: 'layers-model', modelTopology: model.toJSON(null, false), weightsManifest };
  const loaded = await tf.loadLayersModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: weightsManifest[0].weights,
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    }),
  });
  const names = model.outputs.map((output) => output.sourceLayer.name);
  const results = [loaded.predict(images(size, batch, seed))].flat();
  return record(name, { size, batch, seed, json: { ...json, modelTopology }, bytes, names, results });
}

function images([height, width], batch, seed) {
  const next = mulberry32(seed);
  return tf.tensor4d(Float32Array.from({ length: batch * height * width * 3 }, next), [batch, height, width, 3]);
}

function record(name, { size, batch, seed, json, bytes, names, results }) {
  const outputs = names.map((output, i) => ({
    name: output,
    shape: results[i].shape,
    values: [...results[i].dataSync()],
  }));
  return { name, size, batch, seed, model: json, weights: bytes.toString('base64'), outputs };
}

const base64 = (text) => Buffer.from(text).toString('base64');
const window = (strides, padding, more = {}) => ({
  strides: { list: { i: ['1', `${strides}`, `${strides}`, '1'] } },
  padding: { s: base64(padding) },
  data_format: { s: base64('NHWC') },
  ...more,
});

/** A graph-model from nodes [name, op, inputs, attributes] and weights [name, shape, dtype or values]. */
async function graphCase(name, { size, batch, seed }, { nodes, constants, outputs }) {
  const next = mulberry32(1000 + seed);
  const weights = constants.map(([constant, shape, dtype]) =>
    Array.isArray(dtype) ? integers(constant, shape, dtype) : quantised(constant, shape, dtype, next),
  );
  const attr = { T: { type: 'DT_FLOAT' } };
  const shape = { shape: { dim: [-1, ...size, 3].map((n) => ({ size: `${n}` })) } };
  const node = [
    ...constants.map(([constant, , dtype]) => ({
      name: constant,
      op: 'Const',
      attr: { dtype: { type: Array.isArray(dtype) ? 'DT_INT32' : 'DT_FLOAT' } },
    })),
    { name: 'images', op: 'Placeholder', attr: { dtype: { type: 'DT_FLOAT' }, shape } },
    ...nodes.map(([id, op, input, more = {}]) => ({ name: id, op, input, attr: { ...attr, ...more } })),
  ];
  const weightsManifest = [{ paths: ['weights.bin'], weights: weights.map(({ entry }) => entry) }];
  const bytes = Buffer.concat(weights.map((weight) => weight.bytes));
  const signature = {
    outputs: Object.fromEntries(outputs.map((id) => [id, { name: id, dtype: 'DT_FLOAT', tensorShape: {} }])),
  };
  const json = {
    format: 'graph-model',
    modelTopology: { node, versions: { producer: 1 } },
    weightsManifest,
    signature,
  };
  const model = await tf.loadGraphModel(
    tf.io.fromMemory({
      ...json,
      weightSpecs: weightsManifest[0].weights,
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    }),
  );
  const results = [model.execute({ images: images(size, batch, seed) }, outputs)].flat();
  return record(name, { size, batch, seed, json, bytes, names: outputs, results });
}

const l = tf.layers;

function residualNetwork(input) {
  const conv = (filters, options) => l.conv2d({ filters, kernelSize: 3, padding: 'same', ...options });
  const a = l
    .reLU({ maxValue: 6, name: 'clipped' })
    .apply(
      l
        .batchNormalization({ scale: false, name: 'norm' })
        .apply(conv(4, { strides: 2, useBias: false, name: 'stem' }).apply(input)),
    );
  const b = l
    .depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier: 2, activation: 'relu', name: 'depthwise' })
    .apply(a);
  const c = conv(4, { kernelSize: [1, 3], dilationRate: [1, 2], activation: 'tanh', name: 'wide' }).apply(b);
  const sum = l.add({ name: 'sum' }).apply([a, c, a]);
  const mean = l.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same', name: 'mean' }).apply(sum);
  const most = l.maxPooling2d({ poolSize: 3, strides: 2, padding: 'valid', name: 'most' }).apply(sum);
  const joined = l
    .concatenate({ axis: 3, name: 'joined' })
    .apply([mean, l.activation({ activation: 'sigmoid', name: 'gate' }).apply(sum)]);
  const padded = l
    .zeroPadding2d({
      padding: [
        [0, 1],
        [2, 0],
      ],
      name: 'border',
    })
    .apply(joined);
  const pooled = l.globalAveragePooling2d({ name: 'pooled' }).apply(padded);
  const flat = l.flatten({ name: 'flat' }).apply(l.dropout({ rate: 0.5, name: 'dropped' }).apply(most));
  const dense = l.dense({ units: 5, activation: 'relu', name: 'dense' }).apply(flat);
  const classes = l.dense({ units: 3, activation: 'softmax', useBias: false, name: 'classes' }).apply(dense);
  return [most, padded, pooled, classes];
}

const graphNetwork = {
  constants: [
    ['stem/kernel', [3, 3, 3, 4], 'uint8'],
    ['stem/bias', [4], 'float16'],
    ['deep/kernel', [3, 3, 4, 1], 'uint16'],
    ['scale', [1, 1, 1, 4], 'float32'],
    ['six', [], 'float32'],
    ['axes', [2], [1, 2]],
    ['last', [1], [3]],
    ['rows', [2], [-1, 48]],
    ['borders', [4, 2], [0, 0, 1, 0, 0, 2, 0, 0]],
    ['head/kernel', [48, 3], 'float16'],
    ['head/bias', [3], 'float32'],
  ],
  nodes: [
    [
      'stem',
      '_FusedConv2D',
      ['images', 'stem/kernel', 'stem/bias'],
      window(2, 'SAME', {
        dilations: { list: { i: ['1', '1', '1', '1'] } },
        fused_ops: { list: { s: [base64('BiasAdd'), base64('Relu')] } },
        num_args: { i: '1' },
      }),
    ],
    [
      'deep',
      'DepthwiseConv2dNative',
      ['stem', 'deep/kernel'],
      window(1, 'SAME', { dilations: { list: { i: ['1', '1', '1', '1'] } } }),
    ],
    ['scaled', 'Mul', ['deep', 'scale']],
    ['shifted', 'AddV2', ['scaled', 'stem/bias']],
    ['capped', 'Minimum', ['shifted', 'six']],
    ['most', 'MaxPool', ['capped'], window(2, 'VALID', { ksize: { list: { i: ['1', '2', '2', '1'] } } })],
    ['average', 'AvgPool', ['capped'], window(2, 'SAME', { ksize: { list: { i: ['1', '3', '3', '1'] } } })],
    ['padded', 'Pad', ['most', 'borders'], { Tpaddings: { type: 'DT_INT32' } }],
    ['joined', 'ConcatV2', ['average', 'average', 'last'], { N: { i: '2' } }],
    ['means', 'Mean', ['padded', 'axes'], { keep_dims: { b: false } }],
    ['kept', 'Mean', ['padded', 'axes'], { keep_dims: { b: true } }],
    ['squeezed', 'Squeeze', ['kept'], { squeeze_dims: { list: { i: ['1', '2'] } } }],
    ['flat', 'Reshape', ['average', 'rows'], { Tshape: { type: 'DT_INT32' } }],
    [
      'scores',
      '_FusedMatMul',
      ['flat', 'head/kernel', 'head/bias'],
      {
        transpose_a: { b: false },
        transpose_b: { b: false },
        fused_ops: { list: { s: [base64('BiasAdd')] } },
        num_args: { i: '1' },
      },
    ],
    ['classes', 'Softmax', ['scores']],
  ],
  outputs: ['joined', 'means', 'squeezed', 'classes'],
};

const cases = [
  await layersCase('layers', { size: [12, 9], batch: 2, seed: 1 }, residualNetwork),
  await graphCase('graph', { size: [11, 14], batch: 1, seed: 2 }, graphNetwork),
];
console.log(JSON.stringify({ tfjs: tf.version.tfjs, cases }));
