import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { interpret } from '../../src/engine/interpreter.ts';
import { tensorType, trace } from '../../src/engine/trace.ts';
import { timeEmbedding } from '../../src/models/layers/time-embedding.ts';

const goldens = JSON.parse(readFileSync(new URL('../../assets/golden/goldens.json', import.meta.url), 'utf8'));
const golden = goldens.adm_timestep_embedding_dim8 as Record<'t=0.5' | 't=500', number[]>;

function embed(time: number, options: { readonly timeScale?: number }): Float64Array {
  const graph = trace(({ t }) => ({ y: timeEmbedding(t, 8, options) }), { t: tensorType([1], 'float64') });
  return interpret(graph, { t: Float64Array.of(time) }).y;
}

describe('the time embedding', () => {
  test('is the golden one: cosines first, longest period 10,000', () => {
    for (const time of [0.5, 500]) {
      const wanted = golden[`t=${time}` as keyof typeof golden];
      embed(time, { timeScale: 1 }).forEach((value, i) => {
        expect(value).toBeCloseTo(wanted[i], 12);
      });
    }
  });

  test('counts time in thousandths unless told otherwise', () => {
    expect(embed(0.5, {})).toEqual(embed(500, { timeScale: 1 }));
  });

  test('refuses an odd number of features', () => {
    expect(() => trace(({ t }) => timeEmbedding(t, 7), { t: tensorType([1]) })).toThrow(/positive even integer; got 7/);
  });
});
