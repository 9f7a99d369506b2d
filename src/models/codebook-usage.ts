/** How a codebook is used, and codes that nothing uses: in the graph a count, on the host its statistics and the remedy. */
import { broadcastTo, constant, reshape, scatterAdd } from '../engine/ops.ts';
import { elementCount } from '../engine/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConfigError } from '../errors.ts';
import type { RandomStream } from '../numerics/stream.ts';

/**
 * How many positions chose each code; sums to the number of positions.
 * @param indices  int, any shape, in [0, codes).
 * @returns float32 [codes], exact below 2^24.
 */
export function codeCounts(indices: Tensor, codes: number): Tensor {
  const positions = elementCount(indices.shape);
  return scatterAdd(broadcastTo(constant(1), [positions]), reshape(indices, [positions]), { size: codes });
}

export interface CodebookUsage {
  /** Codes that were chosen at least once. */
  readonly used: number;
  /** exp of the entropy of the choices, in [1, codes]: the number of codes that would do if all were used alike. */
  readonly perplexity: number;
}

/** Statistics of counts by code. @throws ConfigError if nothing was counted. */
export function codebookUsage(counts: ArrayLike<number>): CodebookUsage {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  if (!(total > 0)) {
    const expected = '`counts` to hold at least one choice';
    throw new ConfigError({ expected, got: `a sum of ${total}`, where: 'models/codebook-usage' });
  }
  let used = 0;
  let entropy = 0;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    used++;
    entropy -= (counts[i] / total) * Math.log(counts[i] / total);
  }
  return { used, perplexity: Math.exp(entropy) };
}

export interface RevivalOptions {
  /** Choices of each code since the last revival, or a running mean of them. */
  readonly counts: ArrayLike<number>;
  /** A code with fewer choices is dead. */
  readonly least: number;
  /** Encoder outputs of a recent batch, rows [count, channels]. */
  readonly rows: Float32Array;
  readonly random: RandomStream;
}

/**
 * The codebook with every dead code replaced by an encoder output, drawn with replacement. Source: [dhariwal:20], section 3.1, "random
 * restarts".
 * @param codebook  float32 [codes, channels]; not changed.
 * @returns the new codebook, and which codes were replaced.
 * @throws ConfigError unless there is a row and the sizes fit.
 */
export function reviveDeadCodes(
  codebook: Float32Array,
  { counts, least, rows, random }: RevivalOptions,
): { readonly codebook: Float32Array; readonly revived: readonly number[] } {
  const channels = codebook.length / counts.length;
  if (!Number.isInteger(channels) || rows.length === 0 || rows.length % channels !== 0) {
    throw new ConfigError({
      expected: '`codebook` to be [codes, channels], `counts` [codes] and `rows` [count >= 1, channels]',
      got: `${codebook.length}, ${counts.length} and ${rows.length} numbers`,
      where: 'models/codebook-usage',
    });
  }
  const result = codebook.slice();
  const revived: number[] = [];
  for (let code = 0; code < counts.length; code++) {
    if (counts[code] >= least) continue;
    const first = random.below(rows.length / channels) * channels;
    result.set(rows.subarray(first, first + channels), code * channels);
    revived.push(code);
  }
  return { codebook: result, revived };
}
