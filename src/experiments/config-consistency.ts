/** What the sections of a config demand of each other. */
import type { RunConfig } from './config.ts';
import { ditSizeOf } from './dit-size.ts';
import { metricValues } from './metric-names.ts';

/** What is said where steps in place are asked of a provider that cannot take them. */
export const inPlaceOnWebgpu =
  '`training.inPlace` lets kernels read and write one buffer, which WebGPU forbids: expected `training.inPlace` to be false with `runtime.provider` webgpu; got true.';

/** Faults of a config whose fields are sound one by one, as sentences that name the fields. */
export function crossFaults(config: RunConfig): string[] {
  const { data, model, coupling, training, sampling } = config;
  const faults: string[] = [];
  const demand = (met: boolean, sentence: string) => {
    if (!met) faults.push(sentence);
  };
  demandOfTarget(config, demand);
  demand(
    data.kind !== 'vectors' || model.kind === 'mlp',
    `Expected \`model.kind\` to be mlp for \`data.kind\` vectors; got ${model.kind}.`,
  );
  demandOfLatent(config, demand);
  if (model.kind === 'unet') {
    demand(
      model.attention.every((level) => level < model.channels.length),
      `Expected \`model.attention\` to name levels below ${model.channels.length}, the length of \`model.channels\`; got ${JSON.stringify(model.attention)}.`,
    );
  }
  if (model.kind === 'dit') {
    const { width, heads } = ditSizeOf(model);
    demand(
      width % heads === 0,
      `Expected \`model.width\` to be a multiple of \`model.heads\` = ${heads}; got ${width}.`,
    );
  }
  const stepImages = training.batchSize * training.accumulate;
  const largeBatch = 'largeBatch' in coupling ? coupling.largeBatch : null;
  demand(
    largeBatch === null || largeBatch % stepImages === 0,
    `Expected \`coupling.largeBatch\` to be a multiple of the ${stepImages} images of a step; got ${largeBatch}.`,
  );
  if (coupling.kind === 'loom') {
    demand(
      coupling.trainAfter === null || (coupling.keep && coupling.reassign),
      '`coupling.trainAfter` waits for noises that are exchanged and kept: expected `coupling.keep` and `coupling.reassign` to be true; got false.',
    );
    demand(
      coupling.keep || (coupling.refresh === null && coupling.interpolate === 1),
      '`coupling.refresh` and `coupling.interpolate` concern noises that are kept: expected `coupling.keep` to be true; got false.',
    );
  }
  const { warmupImages } = training.schedule;
  demand(
    warmupImages <= training.images,
    `Expected \`training.schedule.warmupImages\` to be at most \`training.images\` = ${training.images}; got ${warmupImages}.`,
  );
  demandOfPrecision(config, demand);
  demand(!training.inPlace || config.runtime.provider !== 'webgpu', inPlaceOnWebgpu);
  demandOfEvaluation(config, demand);
  const guided = sampling.guidance !== null;
  demand(
    !guided || model.labels,
    '`sampling.guidance` needs a model with labels: expected `model.labels` to be true; got false. Try `sampling.guidance` null.',
  );
  demand(
    !guided || !model.labels || training.labelDropout > 0,
    '`sampling.guidance` needs a model that knows the null label: expected `training.labelDropout` to be more than 0; got 0.',
  );
  return faults;
}

type Demand = (met: boolean, sentence: string) => void;

/** Latents of an autoencoder are those of images. */
function demandOfLatent({ data, latent }: RunConfig, demand: Demand): void {
  demand(
    data.kind === 'images' || latent.kind === 'identity',
    `Expected \`data.kind\` to be images for \`latent.kind\` ${latent.kind}; got ${data.kind}.`,
  );
  if (latent.kind === 'autoencoder' && latent.normalization !== null) {
    const { mean, deviation } = latent.normalization;
    demand(
      mean.length === deviation.length,
      `Expected \`latent.normalization\` to have as many means as deviations; got ${mean.length} and ${deviation.length}.`,
    );
  }
}

/** ONNX Runtime's CPU provider converts float16 to float32 and back around its kernels. */
function demandOfPrecision({ training, runtime }: RunConfig, demand: Demand): void {
  demand(
    training.precision === 'float32' || !training.inPlace,
    '`training.precision` mixed skips updates whose gradient overflows, and `training.inPlace` leaves no state to go back to: expected `training.inPlace` to be false; got true.',
  );
  demand(
    training.precision === 'float32' || runtime.provider !== 'cpu',
    '`training.precision` mixed needs float16 kernels, which provider cpu has not: steps would be slower and less exact. Expected `runtime.provider` to be webgpu or cuda; got cpu. Try `training.precision` float32.',
  );
}

/** What can be the best is measured. */
function demandOfEvaluation({ training: { evaluation } }: RunConfig, demand: Demand): void {
  if (evaluation === null || evaluation.best === null) return;
  const { metric } = metricValues[evaluation.best.metric];
  demand(
    evaluation.metrics.includes(metric),
    `Expected \`training.evaluation.metrics\` to hold ${metric}, as \`training.evaluation.best.metric\` is ${evaluation.best.metric}; got ${evaluation.metrics.join(', ')}.`,
  );
}

/** What the target of empirical flow matching takes for granted. */
function demandOfTarget({ target, coupling, path }: RunConfig, demand: Demand): void {
  if (target.kind !== 'efm') return;
  demand(
    coupling.kind === 'independent',
    `The weights of \`target.kind\` efm are those of data paired with independent noise: expected \`coupling.kind\` to be independent; got ${coupling.kind}.`,
  );
  demand(
    path.sigma === 0,
    `The weights of \`target.kind\` efm are those of a path without width: expected \`path.sigma\` to be 0; got ${path.sigma}.`,
  );
}
