/** Training steps one after the other, as the training loop takes them. */
import type { PreparedBatch } from '../src/training/batches.ts';
import type { Trainer } from '../src/training/trainer.ts';
import type { Contender } from './interleave.ts';

/** Steps whose next batch is prepared while they run. */
export function steadySteps(trainer: Trainer, prepare: (imagesSeen: number) => Promise<PreparedBatch[]>): Contender {
  let position = 0;
  let next = prepare(position);
  const step = async () => {
    const batches = await next;
    await trainer.step(batches, () => {
      position += trainer.imagesPerStep;
      next = prepare(position);
    });
  };
  return {
    async run(untimed, count) {
      for (let i = 0; i < untimed; i++) await step();
      const start = performance.now();
      for (let i = 0; i < count; i++) await step();
      return (performance.now() - start) / count;
    },
  };
}
