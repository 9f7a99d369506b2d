import type { Bench, BenchCase } from './bench.ts';
import { gigaflops } from './flops.ts';
import { interleave } from './interleave.ts';
import { admUnet, dit384x4, fashionUnet, tinyDit } from './step-cases.ts';
import { type StepSpec, trainingStep } from './training-step.ts';

function spinningCase(name: string, spec: () => StepSpec, { onlyByName = false } = {}): BenchCase {
  return {
    name,
    onlyByName,
    async measure(context) {
      const { threads } = context.runtime;
      const spinning = await context.openRuntime({ threads, spinning: true });
      const ours = await trainingStep(spinning, spec());
      const sleeping = await trainingStep(await context.openRuntime({ threads, spinning: false }), spec());
      const timings = await interleave(
        { ours, sleeping },
        { rounds: context.rounds ?? 15, progress: (text) => context.progress(`${name}: ${text}`) },
      );
      return {
        case: name,
        ms: timings.ours.ms,
        gflops: gigaflops(ours.flops, timings.ours.ms),
        fractionOfGemm: null,
        peer: { name: 'without spinning', version: spinning.version, ms: timings.sleeping.ms },
        ratioToPeer: timings.sleeping.ms / timings.ours.ms,
        details: { quartilesMs: timings.ours.quartilesMs, peerQuartilesMs: timings.sleeping.quartilesMs },
      };
    },
  };
}

/** Whether worker threads should spin while they wait. */
export const spinning: Bench = {
  name: 'spinning',
  summary: 'training steps with spinning worker threads against the same with sleeping ones',
  notes:
    'The peer is this engine without spinning. Both keep their own threads, one side resting while the other runs.',
  cases: [
    spinningCase('dit-384x4', () => dit384x4),
    spinningCase('fashion-unet', fashionUnet),
    spinningCase('adm-unet', () => admUnet, { onlyByName: true }),
    spinningCase('tiny', () => tinyDit, { onlyByName: true }),
  ],
};
