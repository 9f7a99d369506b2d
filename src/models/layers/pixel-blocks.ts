/** Squares of pixels as channels, and back: the same numbers in a smaller picture. */
import { reshape, transpose } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** [batch, channels, height, width] to [batch, channels · side · side, height / side, width / side]. */
export function toPixelBlocks(x: Tensor, side: number): Tensor {
  const [batch, channels, height, width] = x.shape;
  const [rows, columns] = [height / side, width / side];
  const cells = reshape(x, [batch, channels, rows, side, columns, side]);
  return reshape(transpose(cells, [0, 1, 3, 5, 2, 4]), [batch, channels * side * side, rows, columns]);
}

/** The inverse of `toPixelBlocks` [shi:16]. */
export function fromPixelBlocks(x: Tensor, side: number): Tensor {
  const [batch, features, rows, columns] = x.shape;
  const cells = reshape(x, [batch, features / side ** 2, side, side, rows, columns]);
  return reshape(transpose(cells, [0, 1, 4, 2, 5, 3]), [batch, features / side ** 2, rows * side, columns * side]);
}
