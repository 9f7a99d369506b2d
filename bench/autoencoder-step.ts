/** A whole training step of an autoencoder on random pictures. */
import { gradient } from '../src/engine/gradient.ts';
import { closeGraph } from '../src/engine/graph.ts';
import type { NativeRuntime } from '../src/engine/native/native-runtime.ts';
import { emitModel } from '../src/engine/onnx/emit.ts';
import { add, multiply, reduceMean, subtract } from '../src/engine/ops.ts';
import { elementCount } from '../src/engine/shape.ts';
import { createStepper } from '../src/engine/stepper.ts';
import type { Tensor } from '../src/engine/tensor.ts';
import { tensorType } from '../src/engine/trace.ts';
import {
  flattenParameters,
  initialValues,
  parameterCount,
  parameterTypes,
  type TensorsOf,
} from '../src/models/parameters.ts';
import { type VqVaeParameters, vqVae } from '../src/models/vq-vae.ts';
import { normalsFromSeeds } from '../src/numerics/normal.ts';
import {
  clippedUpdate,
  PARAMETERS,
  parameterInputs,
  placeholders,
  scalarTypes,
} from '../src/training/parameter-update.ts';
import { stateTypes } from '../src/training/step.ts';
import { stepFlops } from './flops.ts';
import { contender } from './interleave.ts';
import { type AutoencoderStepSpec, type TrainingStep, updateParts } from './training-step.ts';

/** Mean squared error of the pictures and mean loss of quantisation. */
function autoencoderGraphs(spec: AutoencoderStepSpec) {
  const network = vqVae({ ...spec.options, rematerialise: spec.rematerialise ?? 'nothing' });
  const parts = updateParts(spec);
  const { tree, ports } = parameterInputs(parameterTypes(network.parameters), PARAMETERS);
  const tensors = tree as unknown as TensorsOf<VqVaeParameters>;
  const batch = placeholders({ pictures: tensorType([spec.batch, ...spec.options.shape]) });
  const scalars = placeholders(scalarTypes(parts));
  const { pictures } = batch.inputs;
  const { quantized, loss: quantisation } = network.quantize(tensors, network.encode(tensors, pictures));
  const error = subtract(network.decode(tensors, quantized), pictures);
  const loss = add(reduceMean(multiply(error, error)), reduceMean(quantisation));
  const gradients = gradient(
    loss,
    ports.map(([, tensor]) => tensor),
    { recompute: spec.rematerialise === 'cheap' },
  ) as readonly Tensor[];
  const { inputs, outputs, norm } = clippedUpdate(parts, ports, { gradients, scalars: scalars.inputs });
  const taken = [...ports, ...inputs, ...batch.ports, ...scalars.ports];
  return {
    network,
    forward: closeGraph([...ports, ...batch.ports], [['loss', loss]]),
    step: closeGraph(taken, [...outputs, ['loss', loss], ['gradientNorm', norm]]),
  };
}

/** Compiles the step on a runtime; a run is one update, its loss read by the host. */
export async function autoencoderStep(runtime: NativeRuntime, spec: AutoencoderStepSpec): Promise<TrainingStep> {
  const { provider, channelBlock } = runtime;
  const { network, forward, step } = autoencoderGraphs(spec);
  const { optimizer } = updateParts(spec);
  const stepper = await createStepper(runtime, {
    state: stateTypes({ parameters: parameterTypes(network.parameters), optimizer, ema: false, accumulate: 1 }),
    programs: { step: { model: emitModel(step, { provider, channelBlock }) } },
    inPlace: spec.inPlace ?? false,
  });
  const initial = initialValues(network.parameters, 0);
  for (const [path] of flattenParameters(network.parameters)) {
    await stepper.writeState({ [`${PARAMETERS}.${path}`]: initial(path) });
  }
  const seeds = Uint32Array.from({ length: spec.batch }, (_, row) => row);
  const pictures = normalsFromSeeds(seeds, elementCount(spec.options.shape));
  let update = 0;
  return {
    flops: stepFlops(forward),
    parameters: parameterCount(network.parameters),
    ...contender(async () => {
      update += 1;
      const scalars = Object.entries(optimizer.scalars({ update, learningRate: spec.learningRate }));
      const inputs = {
        pictures,
        ...Object.fromEntries(scalars.map(([name, value]) => [name, Float32Array.of(value)])),
      };
      await stepper.run('step', { inputs });
    }),
    release: () => stepper.release(),
  };
}
