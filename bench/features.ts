import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { featurePresets } from '../src/metrics/features/feature-presets.ts';
import { onnxFeatures } from '../src/metrics/features/onnx-features.ts';
import { packagedNetwork } from '../src/metrics/features/packaged-network.ts';
import { mulberry32Array } from '../src/numerics/mulberry32.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { besidePeer } from './compare.ts';
import { contender, interleave } from './interleave.ts';
import { isMissing, type Peer } from './peer.ts';
import { writePeerNetwork } from './peer-network.ts';

/** Height and width of the images, grey. */
const side = 28;
const batch = 32;
const pixels = Uint8Array.from(mulberry32Array(1, batch * side * side), (u) => Math.floor(256 * u));

/** Gives the peer the network. @returns the features of the first image. */
async function buildPeer(peer: Peer, network: Uint8Array, size: number): Promise<readonly number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'flowloom-bench-'));
  try {
    writePeerNetwork(network, folder);
    const path = join(folder, 'pixels.u8');
    writeFileSync(path, pixels);
    return (await peer.build({ what: 'features', folder, pixels: path, side, size })).results ?? [];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function featureCase(name: string, size: number): BenchCase {
  async function measure(context: BenchContext): Promise<CaseResult> {
    const preset = featurePresets.mixed5;
    context.progress(`${name}: network`);
    const file = await packagedNetwork('mixed5', preset.source.packaged, { note: context.progress });
    const preparation = { ...preset.preparation, size: [size, size], resize: 'bilinear' } as const;
    const network = onnxFeatures(await context.openRuntime(), {
      name,
      file,
      preparation,
      pooling: preset.pooling,
      batch,
    });
    try {
      const features = await network.extract(pixels, [1, side, side]);
      const ours = contender(async () => {
        await network.extract(pixels, [1, side, side]);
      });
      const peer = await context.peer();
      const expected = isMissing(peer) ? [] : await buildPeer(peer, file, size);
      const timings = await interleave(isMissing(peer) ? { ours } : { ours, peer }, {
        rounds: context.rounds ?? 5,
        progress: (text) => context.progress(`${name}: ${text}`),
      });
      const largest = Math.max(...expected.map((value, i) => Math.abs(value - features[i]!)));
      return {
        ...besidePeer(name, peer, timings),
        details: {
          imagesPerSecond: Math.round((1000 * batch) / timings.ours.ms),
          quartilesMs: timings.ours.quartilesMs,
          ...(isMissing(peer) ? {} : { peerQuartilesMs: timings.peer.quartilesMs }),
          turns: timings.ours.turns,
          ...(expected.length === 0 ? {} : { largestDifference: largest.toExponential(1) }),
        },
      };
    } finally {
      network.release();
    }
  }
  return { name, measure };
}

/** Features of a network with its weights as constants. */
export const features: Bench = {
  name: 'features',
  summary: 'features mixed5 of Inception v3, images a second, beside PyTorch',
  notes:
    `${batch} grey images of ${side} x ${side} in 8 bits, resized bilinearly, through Inception v3 up to mixed5 and its mean. PyTorch runs the same ` +
    'nodes with the same weights, normalisations folded into convolutions, in inference mode, channels last or first, whichever is faster. ' +
    'The network is fetched from npm once (nsfwjs 4.4.0) and kept in the cache folder.',
  cases: [featureCase('mixed5-299', 299), featureCase('mixed5-149', 149)],
};
