import type { Bench, BenchCase } from './bench.ts';
import { compare } from './compare.ts';
import { matrixProduct, type Product } from './matrix-product.ts';

function productCase(name: string, product: Product, { onlyByName = false } = {}): BenchCase {
  return {
    name,
    onlyByName,
    async measure(context) {
      const runtime = await context.openRuntime();
      const ours = await matrixProduct(runtime, product);
      const { transposeA = false, transposeB = false, a, b } = product;
      const workload = { what: 'product', a, b, transposeA, transposeB, output: ours.output };
      return compare(context, { name, runtime, ours, flops: ours.flops, workload, parameters: 0, rounds: 9 });
    },
  };
}

/** Matrix products: square ones, and those of the models in the step benchmark. */
export const gemm: Bench = {
  name: 'gemm',
  summary: 'float32 matrix products of the engine beside PyTorch',
  notes:
    'A product of [m, k] and [k, n] counts as 2 m n k operations. The fraction refers to the product of 1024 x 1024 matrices.',
  cases: [
    productCase('1024', { a: [1024, 1024], b: [1024, 1024] }),
    productCase('2048', { a: [2048, 2048], b: [2048, 2048] }),
    // DiT with width 384 on 8 x 256 tokens: expanding layer, its gradient by the input and by the weight, attention of 6 heads.
    productCase('dit-expand', { a: [2048, 384], b: [1536, 384], transposeB: true }),
    productCase('dit-expand-input', { a: [2048, 1536], b: [1536, 384] }),
    productCase('dit-expand-weight', { a: [2048, 1536], b: [2048, 384], transposeA: true }),
    productCase('dit-scores', { a: [48, 256, 64], b: [48, 256, 64], transposeB: true }),
    productCase('dit-mix', { a: [48, 256, 256], b: [48, 256, 64] }),
    // ADM-like U-Net, batch 16, 256 channels at 16 x 16: a 1 x 1 convolution, attention of 4 heads with 64 channels.
    productCase('unet-project', { a: [1, 256, 256], b: [16, 256, 256] }),
    productCase('unet-scores', { a: [64, 64, 256], b: [64, 64, 256], transposeA: true }),
    productCase('tiny', { a: [64, 64], b: [64, 64] }, { onlyByName: true }),
  ],
};
