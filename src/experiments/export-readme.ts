/** The README.md beside exported files. */
import { basename } from 'node:path';
import type { OnnxGraph, OnnxValueInfo } from '../engine/onnx/model-proto.ts';

export interface ReadmeParts {
  /** What the files say about themselves. */
  readonly facts: Readonly<Record<string, string>>;
  readonly velocity: OnnxGraph<OnnxValueInfo>;
  readonly sampler: OnnxGraph<OnnxValueInfo>;
  /** Name of the sampler's output. */
  readonly output: string;
  /** Evaluations of the network for a sample, guidance counted. */
  readonly evaluations: number;
  /** Whether the sampler has every step written out. */
  readonly unrolled: boolean;
  /** Files that were written. */
  readonly paths: readonly string[];
}

function portRows({ inputs, outputs }: OnnxGraph<OnnxValueInfo>): string {
  const row = (kind: string, { name, dtype, shape }: OnnxValueInfo) =>
    `| ${kind} | \`${name}\` | ${dtype} | [${shape?.join(', ')}] |`;
  return [
    '| | name | type | shape |',
    '| --- | --- | --- | --- |',
    ...inputs.map((port) => row('input', port)),
    ...outputs.map((port) => row('output', port)),
  ].join('\n');
}

/** Programs of three lines, for as many samples as the graph takes, or two. */
function programs({ sampler, output, paths }: ReadmeParts) {
  const size = sampler.inputs[0]?.shape?.[0];
  const count = typeof size === 'number' ? size : 2;
  const hasLabels = sampler.inputs.some(({ name }) => name === 'labels');
  const labels = hasLabels ? `, labels: new Tensor('int32', new Int32Array(${count}).fill(1), [${count}])` : '';
  const seeds = `seeds: new Tensor('int64', BigInt64Array.from({ length: ${count} }, (_, i) => BigInt(i)), [${count}])`;
  const run = `const { ${output} } = await session.run({ ${seeds}${labels} });`;
  const data = paths.map((path) => basename(path)).find((name) => name === 'sampler.onnx.data');
  const external = data === undefined ? '' : `, { externalData: [{ path: '${data}', data: '${data}' }] }`;
  const pythonLabels = hasLabels ? `, "labels": np.full(${count}, 1, np.int32)` : '';
  return {
    node: `import { InferenceSession, Tensor } from 'onnxruntime-node';
const session = await InferenceSession.create('sampler.onnx');
${run}`,
    web: `import { InferenceSession, Tensor } from 'onnxruntime-web';
const session = await InferenceSession.create('sampler.onnx'${external});
${run}`,
    python: `import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("sampler.onnx")
${output}, = session.run(None, {"seeds": np.arange(${count}, dtype=np.int64)${pythonLabels}})`,
  };
}

function labelsText(classes: string): string {
  const names = JSON.parse(classes) as readonly string[] | null;
  if (names === null) return 'The network knows no labels.';
  const list = names.map((name, label) => `${label} ${name}`).join(', ');
  return `Labels: ${list}; ${names.length} stands for "no label".`;
}

const unrolledText = `The runtime takes long to open a graph with so many nodes, and may keep a copy of the weights for each evaluation; where memory is short,
set the session option \`session.disable_prepacking\` to \`1\`.

`;

/** The text of the README. */
export function exportReadme(parts: ReadmeParts): string {
  const { facts, velocity, sampler, output, evaluations, unrolled } = parts;
  const { node, web, python } = programs(parts);
  const pixels =
    output === 'pixels' ? 'Pixels are bytes from 0 to 255, channels first.' : 'Samples are in the units of the data.';
  const isLatent = facts.autoencoder !== undefined;
  const decoder = isLatent ? ' The decoder of the autoencoder is inside: the graph ends in pixels.' : '';
  const space = isLatent ? 'x are latents of the autoencoder, normalised per channel. ' : '';
  const rounding =
    facts.provider === 'webgpu'
      ? 'The graphs avoid operators that WebGPU lacks, and sum the steps in float32.'
      : 'The steps are summed in float64, as flowloom does.';
  return `# ${facts.model}

A flow-matching model trained by flowloom on ${facts.data}, ${facts.images_seen} images seen, as ONNX files (opset 21) with their weights inside.

## \`sampler.onnx\`: seeds in, ${output} out

${portRows(sampler)}

Solver \`${facts.solver}\`, guidance ${facts.guidance}: ${evaluations} evaluations of the network for a sample, ${unrolled ? 'all written out in the graph' : 'a step repeated by a Loop in the graph'}.
A seed (an integer from 0 to 2^32 - 1) makes its noise inside the graph, the same bits as in \`flowloom sample\`, so seed s with the same label
gives the same picture everywhere, but for the last digits in which kernels differ. ${pixels}${decoder} ${rounding}
${labelsText(facts.classes!)}

Node (\`npm install onnxruntime-node\`):

\`\`\`js
${node}
\`\`\`

Browser (\`npm install onnxruntime-web\`; import from \`onnxruntime-web/webgpu\` and add \`{ executionProviders: ['webgpu'] }\` for a GPU):

\`\`\`js
${web}
\`\`\`

Python (\`pip install onnxruntime numpy\`):

\`\`\`python
${python}
\`\`\`

${unrolled ? unrolledText : ''}## \`velocity.onnx\`: the network alone

${portRows(velocity)}

${space}Time runs from 0 (noise) to 1 (data); x at time 0 is standard normal noise, and dx/dtime = velocity. Guidance is left to the caller:
velocity = v(no label) + w (v(label) - v(no label)).

Both files say in \`metadata_props\` what they were made of: ${Object.keys(facts)
    .map((key) => `\`${key}\``)
    .join(', ')}.
`;
}
