import { expect, it } from 'vitest';
import { ShapeError } from '../../src/errors.ts';
import { textTable } from '../../src/report/text-table.ts';

it('aligns its columns to the right, under their headings', () => {
  expect(
    textTable(
      ['n', 'similarity'],
      [
        ['2', '0.5'],
        ['1024', '0.25'],
      ],
    ),
  ).toEqual(['   n  similarity', '----  ----------', '   2         0.5', '1024        0.25']);
  expect(textTable(['n'], [])).toEqual(['n', '-']);
});

it('wants a cell for each heading', () => {
  expect(() => textTable(['a', 'b'], [['1']])).toThrow(ShapeError);
});
