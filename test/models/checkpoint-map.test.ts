import { describe, expect, test } from 'vitest';
import { elementCount } from '../../src/engine/shape.ts';
import { type ExternalTensor, externalValues, ownValues } from '../../src/models/checkpoint-map.ts';
import { flattenParameters, initializeParameters } from '../../src/models/parameters.ts';
import { publishedNetworks } from './published-networks.ts';

const parameters: Readonly<Record<string, Float32Array>> = {
  query: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), // [4, 2]
  key: Float32Array.of(11, 12, 13, 14, 15, 16, 17, 18),
};

function external(tensor: ExternalTensor): number[] {
  return [...externalValues(tensor, (path) => parameters[path])];
}

describe('a tensor of a published checkpoint', () => {
  test('takes rows of several tensors in turn', () => {
    const joint = { layout: 'interleaved', paths: ['query', 'key'], shape: [8, 2] } as const;
    expect(external({ ...joint, rows: 4 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18]);
    expect(external({ ...joint, rows: 2 })).toEqual([1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 7, 8, 15, 16, 17, 18]);
    expect(external({ ...joint, rows: 1 })).toEqual([1, 2, 11, 12, 3, 4, 13, 14, 5, 6, 15, 16, 7, 8, 17, 18]);
  });

  test('has rows and columns exchanged', () => {
    expect(external({ layout: 'transposed', path: 'query', shape: [2, 4] })).toEqual([1, 3, 5, 7, 2, 4, 6, 8]);
  });

  test.each([
    { layout: 'same', path: 'query', shape: [2, 2, 2] },
    { layout: 'transposed', path: 'query', shape: [2, 4] },
    { layout: 'interleaved', paths: ['query', 'key'], rows: 2, shape: [8, 2] },
  ] as const)('of layout $layout gives the parameters back', (tensor) => {
    const data = externalValues(tensor, (path) => parameters[path]);
    for (const [path, values] of ownValues(tensor, { name: 'a', shape: tensor.shape, data })) {
      expect(values, path).toEqual(parameters[path]);
    }
  });

  test('has no room for the last rows of ours, which must be zeros and come back as such', () => {
    const short = { layout: 'leading', path: 'table', rows: 3, shape: [2, 2] } as const;
    const table = Float32Array.of(1, 2, 3, 4, 0, 0);
    const data = externalValues(short, () => table);
    expect([...data]).toEqual([1, 2, 3, 4]);
    expect(ownValues(short, { name: 'a', shape: [2, 2], data })).toEqual([['table', table]]);
    expect(() => externalValues(short, () => Float32Array.of(1, 2, 3, 4, 0, 5))).toThrow(
      /the last 1 of the 3 rows of `table` to be zeros/,
    );
  });

  test('that is fixed holds no parameter', () => {
    const tensor = { layout: 'fixed', shape: [2], values: () => Float32Array.of(1, 2) } as const;
    expect(external(tensor)).toEqual([1, 2]);
    expect(ownValues(tensor, { name: 'a', shape: [2], data: Float32Array.of(3, 4) })).toEqual([]);
  });

  test('of another shape is refused by its name', () => {
    const tensor = { layout: 'same', path: 'query', shape: [4, 2] } as const;
    expect(() => ownValues(tensor, { name: 'a.weight', shape: [2, 4], data: parameters.query })).toThrow(
      /Expected `a.weight` to be \[4, 2\]; got \[2, 4\]/,
    );
  });
});

// The orders of attention's rows that the golden file has not.
describe.each([
  ['adm', { attentionRows: 'head', conditioning: 'scale-shift', residualResampling: true }],
  ['adm', { attentionRows: 'kind', nullLabel: false, conditioning: 'shift', residualResampling: false }],
] as const)('the map of %s with %o', (kind, changes) => {
  const sizes = { shape: [2, 8, 8], channels: 32, multipliers: [1, 2], blocks: 1, attentionResolutions: [4] };
  const { model, checkpoint } = publishedNetworks[kind]({ ...sizes, headChannels: 16, classes: 3, ...changes });

  test('takes every parameter there and back', () => {
    const values = initializeParameters(model.parameters, 1);
    values['condition.label.table'].fill(0, -128); // the null label, for which the checkpoint has no room
    const back = [...checkpoint.toExternal(model.parameters)].flatMap(([name, tensor]) => {
      const data = externalValues(tensor, (path) => values[path]);
      expect(data.length, name).toBe(elementCount(tensor.shape));
      return ownValues(tensor, { name, shape: tensor.shape, data });
    });
    expect(back.map(([path]) => path).sort()).toEqual(
      flattenParameters(model.parameters)
        .map(([path]) => path)
        .sort(),
    );
    for (const [path, actual] of back) expect(actual, path).toEqual(values[path]);
  });
});
