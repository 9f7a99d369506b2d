import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { ShapeError } from '../errors.ts';

/** One line of a chart. */
export interface Series {
  /** What the legend calls it. */
  readonly name: string;
  /** Positions, ascending. */
  readonly x: ArrayLike<number>;
  /** Values, one for each position; one that is not finite leaves a gap. */
  readonly y: ArrayLike<number>;
  /** 'line' (default), 'points' where values are few, or 'dashed' for a value to compare with. */
  readonly style?: 'line' | 'points' | 'dashed';
}

/** How a chart looks. */
export interface LineChartOptions {
  readonly title: string;
  /** What x is, with its unit. */
  readonly xLabel: string;
  /** What y is, with its unit. */
  readonly yLabel: string;
  /** Default 'linear'. */
  readonly yScale?: 'linear' | 'log';
  /** Smallest and largest y; null leaves one to the data. Default both null. */
  readonly yRange?: readonly [number | null, number | null];
  /** Pixels. Default 760. */
  readonly width?: number;
  /** Pixels. Default 440. */
  readonly height?: number;
}

/** Colours that remain apart for the colour-blind, by Okabe and Ito. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

/**
 * A chart of lines as an SVG document. The same series and options give the same text.
 * @throws ShapeError if a series has not as many values as positions.
 */
export function lineChart(series: readonly Series[], options: LineChartOptions): string {
  const { title, xLabel, yLabel, yScale = 'linear', yRange = [null, null], width = 760, height = 440 } = options;
  use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const axis = { type: 'value', nameLocation: 'middle', splitLine: { lineStyle: { color: '#e5e5e5' } } } as const;
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    color: colours,
    title: { text: title, left: 'center', textStyle: { fontSize: 15, fontWeight: 'normal' } },
    legend: { top: 34, itemGap: 28, data: series.map(({ name }) => name) },
    grid: { left: 64, right: 24, top: 70, bottom: 52 },
    xAxis: { ...axis, name: xLabel, nameGap: 30 },
    yAxis: {
      ...axis,
      type: yScale === 'log' ? 'log' : 'value',
      name: yLabel,
      nameGap: 44,
      scale: true,
      ...(yRange[0] === null ? {} : { min: yRange[0] }),
      ...(yRange[1] === null ? {} : { max: yRange[1] }),
    },
    series: series.map(seriesOption),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${plainSvg(svg)}\n`;
}

/** The drawing without what only a mouse would use, and without numbers that count the charts of this process. */
function plainSvg(svg: string): string {
  const names = new Map<string, string>();
  return svg
    .replace(/<style[^>]*>[\s\S]*?<\/style>\n?/g, '')
    .replace(/ (?:class="zr[^"]*"|pointer-events="[^"]*")/g, '')
    .replace(/\bzr\d+-[a-z]+\d+\b/g, (name) => {
      if (!names.has(name)) names.set(name, `part-${names.size}`);
      return names.get(name)!;
    });
}

function seriesOption({ name, x, y, style = 'line' }: Series) {
  if (x.length !== y.length) {
    throw new ShapeError({
      expected: `series "${name}" to have a y for each of ${x.length} x`,
      got: String(y.length),
      where: 'report/line-chart',
    });
  }
  return {
    type: 'line' as const,
    name,
    data: Array.from(x, (position, i) => [position, Number.isFinite(y[i]!) ? y[i]! : '-']),
    showSymbol: style === 'points' || x.length === 1,
    symbol: 'circle',
    symbolSize: 7,
    lineStyle: {
      width: style === 'line' ? 1.5 : 2,
      type: style === 'dashed' ? ('dashed' as const) : ('solid' as const),
    },
  };
}

/** A running mean over `window` values to each side, float64; where fewer exist, over those. */
export function smoothed(values: ArrayLike<number>, window: number): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = sums[i]! + values[i]!;
  return Float64Array.from(values, (_, i) => {
    const [from, to] = [Math.max(0, i - window), Math.min(values.length, i + window + 1)];
    return (sums[to]! - sums[from]!) / (to - from);
  });
}
