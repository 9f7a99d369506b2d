import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { compare } from './compare.ts';
import { admUnet, dit384x4, fashionUnet, plainUnet, tinyDit } from './step-cases.ts';
import { type PeerStepOptions, type StepSpec, stepWorkload, trainingStep } from './training-step.ts';

async function measure(
  context: BenchContext,
  { name, spec, peer }: { readonly name: string; readonly spec: StepSpec; readonly peer: PeerStepOptions },
): Promise<CaseResult> {
  const runtime = await context.openRuntime();
  context.progress(`${name}: compiling`);
  const ours = await trainingStep(runtime, spec);
  const { flops, parameters } = ours;
  const details = { parameters, batch: spec.batch };
  const workload = stepWorkload(spec, peer);
  const result = await compare(context, { name, runtime, ours, flops, workload, parameters, rounds: 15, details });
  ours.release();
  return result;
}

interface StepCaseOptions {
  readonly onlyByName?: boolean;
  readonly peer?: PeerStepOptions;
}

function stepCase(
  name: string,
  spec: () => StepSpec,
  { onlyByName = false, peer = {} }: StepCaseOptions = {},
): BenchCase {
  return { name, onlyByName, measure: (context) => measure(context, { name, spec: spec(), peer }) };
}

/** Whole training steps beside PyTorch's eager mode. */
export const step: Bench = {
  name: 'step',
  summary: 'whole training steps beside PyTorch: a DiT, an ADM-like U-Net, the network of the main job',
  notes:
    'A step is forward, backward, clipping by the global norm and AdamW on float32, with a batch that the host holds and the loss read ' +
    'back; no average of the parameters. PyTorch: eager, its default AdamW and memory layout, scaled_dot_product_attention; ' +
    '-fused and -channels-last are its other choices. Operations: 3 times the products and convolutions of the forward pass, multiply-add = 2.',
  cases: [
    stepCase('dit-384x4', () => dit384x4),
    stepCase('adm-unet', () => admUnet),
    stepCase('fashion-unet', fashionUnet),
    stepCase('unet-32-64-96', () => plainUnet, { onlyByName: true }),
    stepCase('dit-384x4-fused', () => dit384x4, { onlyByName: true, peer: { fused: true } }),
    stepCase('adm-unet-fused', () => admUnet, { onlyByName: true, peer: { fused: true } }),
    stepCase('adm-unet-channels-last', () => admUnet, { onlyByName: true, peer: { fused: true, channelsLast: true } }),
    stepCase('fashion-unet-fused', fashionUnet, { onlyByName: true, peer: { fused: true } }),
    stepCase('fashion-unet-channels-last', fashionUnet, {
      onlyByName: true,
      peer: { fused: true, channelsLast: true },
    }),
    stepCase('tiny', () => tinyDit, { onlyByName: true }),
  ],
};
