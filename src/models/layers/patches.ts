/** Images to sequences of patches and back, and where the patches lie. */
import { reshape, transpose } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';

/**
 * [batch, channels, height, width] to [tokens, batch, channels · patch · patch]: tokens row by row of the image, features in the
 * order of a convolution kernel (channel, row, column).
 */
export function toPatches(x: Tensor, patch: number): Tensor {
  const [batch, channels, height, width] = x.shape;
  const [rows, columns] = [height / patch, width / patch];
  const cells = reshape(x, [batch, channels, rows, patch, columns, patch]);
  return reshape(transpose(cells, [2, 4, 0, 1, 3, 5]), [rows * columns, batch, channels * patch * patch]);
}

/**
 * [tokens, batch, patch · patch · channels] to [batch, channels, height, width]; features in the order (row, column, channel), as
 * the last layer of published DiT checkpoints has them.
 */
export function fromPatches(
  tokens: Tensor,
  patch: number,
  [channels, height, width]: readonly [number, number, number],
): Tensor {
  const [rows, columns] = [height / patch, width / patch];
  const cells = reshape(tokens, [rows, columns, -1, patch, patch, channels]);
  return reshape(transpose(cells, [2, 5, 0, 3, 1, 4]), [-1, channels, height, width]);
}

/**
 * Fixed sine-cosine embedding of grid positions, row-major [rows · columns, features]: the first half of the features encodes the
 * column, the second the row; each half holds sines, then cosines, of p / 10000^(i / n), i = 0 .. n - 1, n = features / 4.
 * Source: [peebles:23], after [vaswani:17].
 * @param features  a multiple of 4.
 */
export function gridEmbedding(rows: number, columns: number, features: number): Float64Array {
  const quarter = features / 4;
  const table = new Float64Array(rows * columns * features);
  for (let token = 0; token < rows * columns; token++) {
    const position = [token % columns, Math.floor(token / columns)];
    for (const [half, p] of position.entries()) {
      for (let i = 0; i < quarter; i++) {
        const angle = p * 10_000 ** (-i / quarter);
        const start = token * features + half * 2 * quarter + i;
        table[start] = Math.sin(angle);
        table[start + quarter] = Math.cos(angle);
      }
    }
  }
  return table;
}
