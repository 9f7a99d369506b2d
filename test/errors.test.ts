import { expect, test } from 'vitest';
import { FlowError } from '../src/errors.ts';

test('an error reads as expected, got, where and remedy', () => {
  const error = new FlowError({
    expected: '`time` to be [batch] = [64]',
    got: '[32]',
    where: 'path/affine sample',
    remedy: 'one time a sample',
  });
  expect(error.message).toBe(
    'Expected `time` to be [batch] = [64]; got [32]. In path/affine sample. Try one time a sample.',
  );
});
