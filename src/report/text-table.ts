import { ShapeError } from '../errors.ts';

/**
 * A table as lines of text: columns as wide as their widest cell, numbers to the right as everything here.
 * @param rows  cells by row, as many as there are headings.
 * @throws ShapeError if a row has another number of cells.
 */
export function textTable(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const wrong = rows.find((row) => row.length !== headings.length);
  if (wrong !== undefined) {
    throw new ShapeError({
      expected: `rows of ${headings.length} cells`,
      got: `one of ${wrong.length}`,
      where: 'report/text-table',
    });
  }
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const written = lines.map((line) => line.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [written[0]!, rule, ...written.slice(1)];
}
