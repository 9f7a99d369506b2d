import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { compare } from './compare.ts';
import { type StepName, stepSpecs } from './step-cases.ts';
import { stepMemory } from './step-memory.ts';
import { type PeerStepOptions, stepWorkload, trainingStep } from './training-step.ts';

interface MeasuredCase {
  readonly name: string;
  readonly network: StepName;
  readonly rounds: number;
  readonly peer: PeerStepOptions;
}

async function measure(context: BenchContext, { name, network, rounds, peer }: MeasuredCase): Promise<CaseResult> {
  const spec = stepSpecs[network]();
  const workload = stepWorkload(spec, peer);
  // Before the sides to be timed take theirs.
  const memory = await stepMemory(context, { name: network, workload });
  const runtime = await context.openRuntime();
  context.progress(`${name}: compiling`);
  const ours = await trainingStep(runtime, spec);
  const { flops, parameters } = ours;
  const details = { parameters, batch: spec.batch };
  const result = await compare(context, { name, runtime, ours, flops, workload, parameters, rounds, details });
  ours.release();
  return { ...result, memory };
}

interface StepCaseOptions {
  readonly onlyByName?: boolean;
  /** Default 15. */
  readonly rounds?: number;
  readonly peer?: PeerStepOptions;
  /** Default the network's. */
  readonly name?: string;
}

function stepCase(
  network: StepName,
  { onlyByName = false, rounds = 15, peer = {}, name = network }: StepCaseOptions = {},
): BenchCase {
  return { name, onlyByName, measure: (context) => measure(context, { name, network, rounds, peer }) };
}

/** The other choices that PyTorch has for a network. */
function peerChoices(network: StepName, choices: readonly ('fused' | 'channels-last')[]): BenchCase[] {
  return choices.map((choice) =>
    stepCase(network, {
      name: `${network}-${choice}`,
      onlyByName: true,
      peer: { fused: true, channelsLast: choice === 'channels-last' },
    }),
  );
}

/** Whole training steps beside PyTorch's eager mode. */
export const step: Bench = {
  name: 'step',
  summary:
    'whole training steps beside PyTorch, with peak memory: DiT-S/2, the ADM U-Net, a VQ-VAE, the network of the main job',
  notes:
    'A step is forward, backward, clipping by the global norm and AdamW on float32, with a batch that the host holds and the loss read ' +
    'back; no average of the parameters. The VQ-VAE sees 128 x 128 pixels; at 256 ours alone takes 16 GB. PyTorch: eager, its default AdamW and memory layout, scaled_dot_product_attention; ' +
    '-fused and -channels-last are its other choices. -lean and -frugal are ours for less memory: training.inPlace with ' +
    'training.rematerialise=cheap or =blocks. Operations: 3 times the products and convolutions of the forward pass, multiply-add = 2. ' +
    'MiB: highest resident memory of a process that makes three steps, with its program and libraries (VmHWM of Linux).',
  cases: [
    stepCase('dit-s2'),
    stepCase('adm-cifar10', { rounds: 7 }),
    stepCase('vq-vae', { rounds: 3 }),
    stepCase('fashion-unet'),
    stepCase('dit-s2-lean'),
    stepCase('adm-cifar10-lean', { rounds: 7 }),
    stepCase('vq-vae-lean', { rounds: 3 }),
    stepCase('dit-384x4', { onlyByName: true }),
    stepCase('adm-unet', { onlyByName: true }),
    stepCase('vq-vae-256', { onlyByName: true, rounds: 3 }),
    stepCase('vq-vae-64', { onlyByName: true }),
    stepCase('unet-32-64-96', { onlyByName: true }),
    stepCase('dit-s2-frugal', { onlyByName: true }),
    stepCase('adm-cifar10-frugal', { onlyByName: true, rounds: 7 }),
    stepCase('vq-vae-64-frugal', { onlyByName: true }),
    stepCase('vq-vae-frugal', { onlyByName: true, rounds: 3 }),
    stepCase('vq-vae-64-lean', { onlyByName: true }),
    ...peerChoices('dit-s2', ['fused']),
    ...peerChoices('adm-cifar10', ['fused', 'channels-last']),
    ...peerChoices('vq-vae-64', ['fused', 'channels-last']),
    ...peerChoices('fashion-unet', ['fused', 'channels-last']),
    stepCase('tiny', { onlyByName: true }),
    stepCase('tiny-vq-vae', { onlyByName: true }),
  ],
};
