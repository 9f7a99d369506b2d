// Runs ONNX's own test cases of operators through the importer, and writes the table in docs/onnx-operators.md:
//   apt-get install -y libonnx-testdata
//   node --import tsx scripts/conformance/onnx-operators.ts [folder of the cases] [word that names must hold]
// With a word it prints the outcome of each case in place of the table.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import { readModel } from '../../src/engine/onnx/read-model.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { type Level, levels, readCase, runCase } from '../../test/engine/onnx/onnx-case.ts';

const [folder = '/usr/share/libonnx-testdata/data/node', word] = process.argv.slice(2);
const table = fileURLToPath(new URL('../../docs/onnx-operators.md', import.meta.url));

type Status = 'passed' | 'failed' | 'not supported';

interface Outcome {
  readonly name: string;
  /** The model's operator; of several, the case's name without its variant. */
  readonly operator: string;
  readonly opset: number;
  readonly status: Status;
  readonly level: Level | null;
  readonly reason: string | null;
}

/** 16-bit floats are computed in float32 here: the cases' own values are the rounded ones. */
function toleranceOf(name: string): number {
  return /float16|bfloat16|FLOAT16/i.test(name) ? 1e-2 : 1e-3;
}

function subject(path: string): { readonly operator: string; readonly opset: number } {
  const { graph, opsets } = readModel(readFileSync(path));
  const kinds = graph.nodes.map(({ opType, domain }) => (domain === '' ? opType : `${domain}.${opType}`));
  return {
    operator: kinds.length === 1 ? kinds[0] : 'several operators, from the bodies of functions',
    opset: opsets.get('') ?? 0,
  };
}

async function outcomeOf(runtime: Runtime, path: string): Promise<Outcome> {
  const name = basename(path);
  const about = { name: name.replace(/^test_/, ''), ...subject(join(path, 'model.onnx')) };
  try {
    const one = readCase(path);
    const { level, interpreter, runtime: fault } = await runCase(runtime, one, { tolerance: toleranceOf(name) });
    const faults = [interpreter && `references: ${interpreter}`, fault && `ONNX Runtime: ${fault}`].filter(Boolean);
    const reason = faults.length === 0 ? null : faults.join('; ');
    return { ...about, status: reason === null ? 'passed' : 'failed', level, reason };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...about, status: 'not supported', level: null, reason };
  }
}

/** Why cases fail that are not expected to pass. */
const explanations: Readonly<Record<string, string>> = {
  dynamicquantizelinear_expanded:
    'the references compute in float64, where a value falls on the other side of a half; ONNX Runtime, in float32, agrees with the case',
  resize_downsample_scales_cubic_align_corners: 'as the next one',
  resize_downsample_scales_linear_align_corners:
    'the case takes the fractional size, 2.4, as the length of the result; here it is the whole one, 2, as in PyTorch and ONNX Runtime, which are what files come from and are run by',
};

function count(list: readonly Outcome[], status: Status): number {
  return list.filter((outcome) => outcome.status === status).length;
}

/** A reason in the width of a table. */
function short(reason: string): string {
  const text = reason
    .replace(/\. In .*$/s, '')
    .replace(/\s+/g, ' ')
    .replaceAll('|', '/');
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

function operatorRow(operator: string, list: readonly Outcome[]): string {
  const wrong = list.filter(({ status }) => status !== 'passed');
  const levelCounts = levels.map(
    (level) => list.filter((outcome) => outcome.status === 'passed' && outcome.level === level).length,
  );
  const reasons = [...new Set(wrong.map(({ reason }) => short(reason ?? '')))];
  const cells = [
    operator,
    list.length,
    ...levelCounts,
    count(list, 'failed'),
    count(list, 'not supported'),
    reasons[0] ?? '',
  ];
  return `| ${cells.join(' | ')} |`;
}

function failureRow({ name, reason }: Outcome): string {
  const why = explanations[name];
  return `- \`${name}\`: ${short(reason ?? '')}${why === undefined ? '' : ` (${why})`}`;
}

/** Cases and passed cases of the other folders that the package has. */
function others(lists: ReadonlyMap<string, readonly Outcome[]>): string {
  return [...lists].map(([name, list]) => `${count(list, 'passed')} of ${list.length} in \`${name}\``).join(' and ');
}

function document(outcomes: readonly Outcome[], more: ReadonlyMap<string, readonly Outcome[]>): string {
  const operators = [...new Set(outcomes.map(({ operator }) => operator))].sort();
  const rows = operators.map((operator) =>
    operatorRow(
      operator,
      outcomes.filter((outcome) => outcome.operator === operator),
    ),
  );
  const failed = outcomes.filter(({ status }) => status === 'failed');
  const opsets = outcomes.map(({ opset }) => opset).filter((opset) => opset > 0);
  return [
    '# ONNX operators that can be imported',
    '',
    '`importOnnx` reads models of opsets 1 to 21. This table is written by `scripts/conformance/onnx-operators.ts` from the operator cases of the ONNX',
    `project (package libonnx-testdata 1.12.0, opsets ${Math.min(...opsets)} to ${Math.max(...opsets)}). Each case is imported, traced, and executed twice: by the float64 references`,
    'of the engine and by ONNX Runtime; a case passes if both give the shapes, dtypes and values of the case (to 1e-3, the tolerance of the',
    'ONNX project; 1e-2 for 16-bit floats, which are computed in float32 here).',
    '',
    `${outcomes.length} cases: ${count(outcomes, 'passed')} passed, ${count(outcomes, 'failed')} failed, ${count(outcomes, 'not supported')} not supported.`,
    `Of the cases that old versions of PyTorch exported (opset 6), ${others(more)} pass.`,
    '',
    'Not supported are what no function of tensors with fixed shapes can be (sequences, optional values, strings, loops, random numbers, results whose',
    'shape depends on data), training and its losses, recurrent layers, integer products, signal processing, detection, grid sampling and a few more.',
    '',
    'Columns: cases that passed with all inputs traced; with integers and bools as constants (shapes, axes and counts must be known while tracing);',
    'with all inputs as constants; cases that failed; cases that are refused with an error; the first reason.',
    '',
    '| operator | cases | traced | integers known | all known | failed | not supported | first reason |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## Failures',
    '',
    ...(failed.length === 0 ? ['None.'] : failed.map(failureRow)),
    '',
  ].join('\n');
}

async function runFolder(runtime: Runtime, path: string): Promise<Outcome[]> {
  const list: Outcome[] = [];
  for (const name of readdirSync(path).sort()) {
    if (word !== undefined && !name.includes(word)) continue;
    list.push(await outcomeOf(runtime, join(path, name)));
  }
  return list;
}

function summary(list: readonly Outcome[]): string {
  const [passed, failed, refused] = (['passed', 'failed', 'not supported'] as const).map((status) =>
    count(list, status),
  );
  return `${list.length} cases: ${passed} passed, ${failed} failed, ${refused} not supported`;
}

const runtime = await openNativeRuntime({ threads: 1 });
const outcomes = await runFolder(runtime, folder);
if (word === undefined) {
  const more = new Map<string, readonly Outcome[]>();
  for (const name of ['pytorch-converted', 'pytorch-operator'])
    more.set(name, await runFolder(runtime, join(dirname(folder), name)));
  writeFileSync(table, document(outcomes, more));
} else {
  for (const { status, level, name, reason } of outcomes)
    console.log(`${status} ${level ?? ''} ${name}: ${reason ?? ''}`);
}
runtime.release();
console.log(summary(outcomes));
