/** Results for people. */
import type { Bench, CaseResult } from './bench.ts';
import type { Machine } from './machine.ts';

/** A whole number as it is, another with three significant digits, without an exponent. */
function short(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}

function cell(value: number | null, format = short): string {
  return value === null ? '-' : format(value);
}

const columns: readonly (readonly [string, (result: CaseResult) => string])[] = [
  ['case', (result) => result.case],
  ['ms', ({ ms }) => short(ms)],
  ['GFLOP/s', ({ gflops }) => cell(gflops)],
  ['of GEMM', ({ fractionOfGemm }) => cell(fractionOfGemm, (value) => value.toFixed(2))],
  ['peer ms', ({ peer }) => cell(peer?.ms ?? null)],
  ['ratio', ({ ratioToPeer }) => cell(ratioToPeer, (value) => `${value.toFixed(2)}x`)],
];

const mebibytes = (bytes: number | null = null) =>
  cell(bytes === null ? null : bytes / 2 ** 20, (value) => value.toFixed(0));

/** Shown where a case has them. */
const memoryColumns: typeof columns = [
  ['MiB', ({ memory }) => mebibytes(memory?.bytes)],
  ['peer MiB', ({ memory }) => mebibytes(memory?.peerBytes)],
  [
    'of peer',
    ({ memory }) => cell(memory?.peerBytes ? memory.bytes / memory.peerBytes : null, (value) => `${value.toFixed(2)}x`),
  ],
];

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row
      .map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}

function detail(value: number | string | readonly number[]): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? short(value) : value.map(short).join('..');
}

/** Lines of the table, what stands behind each case, the peers, and the machine. */
export function formatTable({ name, notes }: Bench, machine: Machine, cases: readonly CaseResult[]): string {
  const shown = cases.some(({ memory }) => memory != null) ? [...columns, ...memoryColumns] : columns;
  const rows = [shown.map(([title]) => title), ...cases.map((result) => shown.map(([, text]) => text(result)))];
  const details = cases.map(
    (result) =>
      `  ${result.case}: ${Object.entries(result.details)
        .map(([key, value]) => `${key} ${detail(value)}`)
        .join(', ')}`,
  );
  const peers = cases.map(({ peer, reason }) => (peer === null ? `none (${reason})` : `${peer.name} ${peer.version}`));
  const { cpu, cores, node, onnxruntime, threads, spinning, provider, load } = machine;
  return [
    `bench ${name}`,
    ...align(rows),
    '',
    ...details,
    `peer: ${[...new Set(peers)].join('; ')}`,
    `machine: ${cpu}, ${cores} cores, ${threads} threads${spinning ? ', spinning' : ''}${provider === 'cpu' ? '' : `, ${provider}`}, Node ${node}, ONNX Runtime ${onnxruntime}`,
    `load average: ${load[0]} before, ${load[1]} after`,
    notes,
  ].join('\n');
}
