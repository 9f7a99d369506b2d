import { describe, expect, it } from 'vitest';
import { lineChart, smoothed } from '../../src/report/line-chart.ts';

const loss = { name: 'loss', x: [0, 10, 20], y: [2, 1, 0.5] };
const heldOut = { name: 'held-out <&>', x: [0, 20], y: [2.1, 0.6], style: 'points' } as const;
const options = { title: 'Training "a" & b', xLabel: 'images seen', yLabel: 'loss' };

/** Names of the elements that an XML text opens and does not close, or the reverse; a scanner strict enough for what charts write. */
function faultsOf(xml: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  for (const [, text, closing, name, attributes, self] of xml.matchAll(
    /([^<]*)<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|<!\[CDATA\[[\s\S]*?\]\]>/g,
  )) {
    if (name === undefined) continue;
    if (/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i.test(`${text}${attributes}`))
      faults.push(`bare & near ${name}`);
    if (closing === '/') {
      if (open.pop() !== name) faults.push(`</${name}>`);
    } else if (self !== '/') open.push(name);
  }
  return [...faults, ...open];
}

describe('a line chart', () => {
  it('is well-formed SVG with its title, labels and legend, escaped', () => {
    const svg = lineChart([loss, heldOut], options);
    expect(svg.startsWith('<svg ')).toBe(true);
    expect(svg.endsWith('</svg>\n')).toBe(true);
    expect(faultsOf(svg)).toEqual([]);
    for (const text of ['Training &quot;a&quot; &amp; b', 'images seen', '>loss<', 'held-out &lt;&amp;&gt;']) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('is the same text for the same data', () => {
    expect(lineChart([loss, heldOut], options)).toBe(lineChart([loss, heldOut], options));
  });

  it('draws a higher value higher', () => {
    const path = /<path d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"[^>]*stroke="#0072b2"/.exec(
      lineChart([loss], options),
    );
    const [x0, y0, x1, y1, x2, y2] = path!.slice(1).map(Number);
    expect(x0! < x1! && x1! < x2!).toBe(true);
    expect(y0! < y1! && y1! < y2!).toBe(true);
    expect((x1! - x0!) / (x2! - x1!)).toBeCloseTo(1, 2);
  });

  it('has the asked size', () => {
    expect(lineChart([loss], { ...options, width: 300, height: 200 })).toMatch(/^<svg width="300" height="200"/);
  });

  it('leaves a gap at a value that is not finite, also on a logarithmic scale', () => {
    const svg = lineChart([{ ...loss, y: [2, Number.NaN, 0.5] }], { ...options, yScale: 'log' });
    expect(faultsOf(svg)).toEqual([]);
    expect(svg).not.toMatch(/NaN/);
  });

  it('may be empty', () => {
    expect(faultsOf(lineChart([], options))).toEqual([]);
    expect(faultsOf(lineChart([{ name: 'a', x: [], y: [] }], options))).toEqual([]);
  });

  it('refuses a series with fewer values than positions', () => {
    expect(() => lineChart([{ ...loss, y: [1] }], options)).toThrow(
      'Expected series "loss" to have a y for each of 3 x; got 1. In report/line-chart.',
    );
  });
});

describe('smoothed', () => {
  it('keeps constants and the mean of symmetric noise', () => {
    expect([...smoothed([3, 3, 3, 3], 2)]).toEqual([3, 3, 3, 3]);
    expect([...smoothed([0, 2, 0, 2, 0], 1)]).toEqual([1, 2 / 3, 4 / 3, 2 / 3, 1]);
    expect([...smoothed([], 1)]).toEqual([]);
  });
});
