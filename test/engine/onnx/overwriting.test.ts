import { describe, expect, it } from 'vitest';
import type { OnnxNode } from '../../../src/engine/onnx/model-proto.ts';
import { overwriting } from '../../../src/engine/onnx/overwriting.ts';

/** Nodes of texts such as `c = Add a b`. */
function nodes(...lines: readonly string[]): OnnxNode[] {
  return lines.map((line) => {
    const [name, , opType, ...inputs] = line.split(' ') as [string, string, string, ...string[]];
    return { opType, domain: '', name, inputs, outputs: [name], attributes: [] };
  });
}

describe('an output may overwrite an input', () => {
  it('whose readers it needs', () => {
    const may = overwriting(nodes('half = Mul m decay', 'next = Add half gradient'));
    expect(may('next', 'm')).toBe(true);
  });

  it('that it reads itself, element by element only', () => {
    expect(overwriting(nodes('next = Sub p change'))('next', 'p')).toBe(true);
    expect(overwriting(nodes('next = MatMul p change'))('next', 'p')).toBe(false);
    const may = overwriting([{ ...nodes('next = Add p change')[0]!, domain: 'com.microsoft' }]);
    expect(may('next', 'p')).toBe(false);
  });

  it('but not where another node might read it later', () => {
    const may = overwriting(nodes('next = Sub p change', 'loss = Mul p p'));
    expect(may('next', 'p')).toBe(false);
    // Needed by what reads the output is not needed by the output.
    const late = overwriting(nodes('next = Sub p change', 'norm = Mul p p', 'sum = Add norm next'));
    expect(late('next', 'p')).toBe(false);
  });

  it('through any number of nodes between', () => {
    const chain = Array.from({ length: 100 }, (_, i) => `v${i + 1} = Mul v${i} w`);
    const may = overwriting(nodes('v0 = Mul p x', ...chain, 'next = Sub p v100', 'other = Add next x'));
    expect(may('next', 'p')).toBe(true);
    expect(may('next', 'x')).toBe(false); // read by `other`
    expect(may('v50', 'p')).toBe(false);
  });

  it('that nothing reads, but no output that is none', () => {
    const may = overwriting(nodes('next = Add a b'));
    expect(may('next', 'unread')).toBe(true);
    expect(may('a', 'b')).toBe(false);
  });

  it('never where a node has a graph of its own, which may read anything', () => {
    const [first] = nodes('next = Sub p change');
    const body = { name: 'body', nodes: [], inputs: [], outputs: [], initializers: [] };
    const loop = { ...nodes('z = Loop n')[0]!, attributes: [{ name: 'body', graph: body }] };
    expect(overwriting([first!, loop])('next', 'p')).toBe(false);
  });
});
