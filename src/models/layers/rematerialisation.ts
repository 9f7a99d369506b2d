/** Which intermediate values of a network are kept for its gradient. */
import { rematerialise } from '../../engine/ops.ts';
import type { Tensor } from '../../engine/tensor.ts';

/**
 * What of a network the gradient computes again instead of keeping it [chen:16]: nothing; what is cheap, norms, activation functions and
 * changes of shape, which the gradient sees to; or the inside of every block, of which then only what goes in is kept. Values and gradients
 * are the same.
 */
export type Rematerialisation = 'nothing' | 'cheap' | 'blocks';

/** Calls a block on a tensor; other tensors that it reads are captured. */
export type CallBlock = (block: (x: Tensor) => Tensor, x: Tensor) => Tensor;

/** How blocks are called. */
export const blockCalls: { readonly [K in Rematerialisation]: CallBlock } = {
  nothing: (block, x) => block(x),
  cheap: (block, x) => block(x),
  blocks: (block, x) => rematerialise(block, [x])[0],
};
