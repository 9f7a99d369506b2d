import { z } from 'zod';
import { interpret } from '../../../engine/interpreter.ts';
import { tensorType, trace } from '../../../engine/trace.ts';
import { timeEmbedding } from '../../../models/layers/time-embedding.ts';
import type { Replayer } from './section.ts';

const sectionSchema = z.record(z.string().regex(/^t=[\d.]+$/), z.array(z.number()).length(8));

function embed(time: number, timeScale: number): Float64Array {
  const graph = trace(({ t }) => ({ features: timeEmbedding(t, 8, { timeScale }) }), { t: tensorType([1], 'float64') });
  return interpret(graph, { t: [time] }).features!;
}

/** Eight sinusoidal features of times that are taken as they are, and of the same times as thousandths; to 1e-12. */
export const replayTimeEmbedding: Replayer = (section, tally) => {
  for (const [key, features] of Object.entries(sectionSchema.parse(section))) {
    const time = Number(key.slice(2));
    const [plain, scaled] = [embed(time, 1), embed(time / 1000, 1000)];
    for (const [i, expected] of features.entries()) {
      tally.compare(`${key}, feature ${i}`, { got: plain[i]!, expected, tolerance: 1e-12 });
      tally.compare(`${key} in thousandths, feature ${i}`, { got: scaled[i]!, expected, tolerance: 1e-12 });
    }
  }
};
