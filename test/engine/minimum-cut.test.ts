import { describe, expect, test } from 'vitest';
import { type Arc, minimumCut } from '../../src/engine/minimum-cut.ts';
import { mulberry32 } from '../../src/numerics/mulberry32.ts';

const arc = (from: number, to: number, capacity: number): Arc => ({ from, to, capacity });

/** Capacity of the arcs that lead to the sink's side. */
function capacityOf(arcs: readonly Arc[], near: readonly boolean[]): number {
  return arcs.reduce((sum, { from, to, capacity }) => sum + (!near[from] && near[to] ? capacity : 0), 0);
}

/** All cuts between node 0 and node 1. */
function allCuts(nodes: number): boolean[][] {
  return Array.from({ length: 2 ** (nodes - 2) }, (_, bits) => [
    false,
    true,
    ...Array.from({ length: nodes - 2 }, (_, node) => ((bits >> node) & 1) === 1),
  ]);
}

describe('a minimum cut', () => {
  test('is the least of all cuts of random networks, and no smaller side of the sink does as well', () => {
    const next = mulberry32(3);
    for (let trial = 0; trial < 200; trial++) {
      const nodes = 3 + Math.floor(5 * next());
      const arcs = Array.from({ length: 3 * nodes }, () =>
        arc(Math.floor(nodes * next()), Math.floor(nodes * next()), Math.floor(6 * next())),
      );
      const near = minimumCut(nodes, arcs, { source: 0, sink: 1 })!;
      const least = Math.min(...allCuts(nodes).map((cut) => capacityOf(arcs, cut)));
      expect([near[0], near[1]]).toEqual([false, true]);
      expect(capacityOf(arcs, near)).toBe(least);
      const sides = allCuts(nodes).filter((cut) => capacityOf(arcs, cut) === least);
      for (const cut of sides) expect(near.every((is, node) => !is || cut[node])).toBe(true);
    }
  });

  test('goes around arcs without a limit', () => {
    const endless = Number.POSITIVE_INFINITY;
    const arcs = [arc(0, 2, endless), arc(2, 3, 5), arc(3, 1, endless), arc(2, 1, 2)];
    expect(minimumCut(4, arcs, { source: 0, sink: 1 })).toEqual([false, true, false, true]);
    expect(minimumCut(4, [...arcs, arc(2, 3, endless)], { source: 0, sink: 1 })).toBeNull();
  });

  test('of nodes that are not joined has the sink alone on its side', () => {
    expect(minimumCut(3, [arc(0, 2, 1)], { source: 0, sink: 1 })).toEqual([false, true, false]);
  });
});
