// Runs ONNX's own test cases of operators through the importer, and writes the table in docs/onnx-operators.md:
//   apt-get install -y libonnx-testdata
//   node --import tsx scripts/conformance/onnx-operators.ts [folder of the cases] [word that names must hold]
// With a word it prints the outcome of each case in place of the table.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

async function outcomeOf(runtime: Runtime, name: string): Promise<Outcome> {
  const path = join(folder, name);
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

function document(outcomes: readonly Outcome[]): string {
  const operators = [...new Set(outcomes.map(({ operator }) => operator))].sort();
  const rows = operators.map((operator) =>
    operatorRow(
      operator,
      outcomes.filter((outcome) => outcome.operator === operator),
    ),
  );
  const failed = outcomes.filter(({ status }) => status === 'failed');
  const opsets = outcomes.map(({ opset }) => opset);
  return [
    '# ONNX operators that can be imported',
    '',
    '`importOnnx` reads models of opsets 1 to 21. This table is written by `scripts/conformance/onnx-operators.ts` from the operator cases of the ONNX',
    `project (package libonnx-testdata 1.12.0, opsets ${Math.min(...opsets)} to ${Math.max(...opsets)}). Each case is imported, traced, and executed twice: by the float64 references`,
    'of the engine and by ONNX Runtime; a case passes if both give the shapes, dtypes and values of the case (to 1e-3, the tolerance of the',
    'ONNX project; 1e-2 for 16-bit floats, which are computed in float32 here).',
    '',
    `${outcomes.length} cases: ${count(outcomes, 'passed')} passed, ${count(outcomes, 'failed')} failed, ${count(outcomes, 'not supported')} not supported.`,
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
    ...(failed.length === 0 ? ['None.'] : failed.map(({ name, reason }) => `- \`${name}\`: ${short(reason ?? '')}`)),
    '',
  ].join('\n');
}

const runtime = await openNativeRuntime({ threads: 1 });
const outcomes: Outcome[] = [];
for (const name of readdirSync(folder).sort()) {
  if (word !== undefined && !name.includes(word)) continue;
  const outcome = await outcomeOf(runtime, name);
  outcomes.push(outcome);
  if (word !== undefined)
    console.log(`${outcome.status} ${outcome.level ?? ''} ${outcome.name}: ${outcome.reason ?? ''}`);
}
runtime.release();
if (word === undefined) writeFileSync(table, document(outcomes));
console.log(
  `${outcomes.length} cases: ${count(outcomes, 'passed')} passed, ${count(outcomes, 'failed')} failed, ${count(outcomes, 'not supported')} not supported`,
);
