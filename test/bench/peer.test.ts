import { afterEach, describe, expect, it } from 'vitest';
import type { BenchContext } from '../../bench/bench.ts';
import { compare } from '../../bench/compare.ts';
import { contender } from '../../bench/interleave.ts';
import { isMissing, type MissingPeer, openPeer, openTorch, type Peer } from '../../bench/peer.ts';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';

const opened: Peer[] = [];
afterEach(() => {
  for (const peer of opened.splice(0)) peer.close();
});

/** A peer that answers as the function body says. */
async function fakePeer(body: string): Promise<Peer | MissingPeer> {
  const code = `
    const answer = (request) => { ${body} };
    require('node:readline').createInterface({ input: process.stdin })
      .on('line', (line) => console.log(JSON.stringify(answer(JSON.parse(line)))));`;
  const peer = await openPeer({ command: process.execPath, arguments: ['-e', code], threads: 2, provider: 'cpu' });
  if (!isMissing(peer)) opened.push(peer);
  return peer;
}

const obliging = `
  if (request.op === 'hello') return { name: 'Fake', version: request.threads + ' ' + request.device };
  if (request.op === 'build') return { parameters: request.workload.size };
  if (request.op === 'memory') return { bytes: 12345 };
  return { ms: 1000 * request.count + request.untimed };`;

function contextWith(peer: Peer | MissingPeer): BenchContext {
  return {
    runtime: { provider: 'cpu', threads: 2, spinning: false },
    openRuntime: (options) => openNativeRuntime(options),
    peer: async () => peer,
    freshPeer: async () => peer,
    rounds: 1,
    progress: () => {},
  };
}

async function comparison(peer: Peer | MissingPeer, size: number) {
  const context = contextWith(peer);
  const runtime = await context.openRuntime({ threads: 2, provider: 'cpu' });
  const ours = contender(async () => {});
  const work = { name: 'work', runtime, ours, flops: 1e9, workload: { size }, parameters: 5, rounds: 1 };
  try {
    return await compare(context, work);
  } finally {
    runtime.release();
  }
}

describe('a peer', () => {
  it('says who it is, builds and runs', async () => {
    const peer = (await fakePeer(obliging)) as Peer;
    expect(peer).toMatchObject({ name: 'Fake', version: '2 cpu' });
    expect(await peer.build({ size: 7 })).toEqual({ parameters: 7 });
    expect(await peer.run(1, 3)).toBe(3001);
    expect(await peer.peakBytes()).toBe(12345);
  });

  it('is missing, with the reason, where its process cannot start, ends, or lacks what it needs', async () => {
    expect(await openTorch('none', { threads: 2, provider: 'cpu' })).toEqual({ reason: 'no Python was wanted' });
    const absent = await openPeer({ command: '/no/such/program', threads: 2, provider: 'cpu' });
    expect(absent).toMatchObject({ reason: expect.stringContaining('ENOENT') });
    const ended = await openPeer({ command: process.execPath, arguments: ['-e', ''], threads: 2, provider: 'cpu' });
    expect(ended).toMatchObject({ reason: expect.stringContaining('The peer ended') });
    const lacking = await fakePeer(`return { error: "No module named 'torch'" };`);
    expect(lacking).toMatchObject({ reason: expect.stringContaining("No module named 'torch'") });
  });

  it('that fails later ends the measurement with its own words', async () => {
    const peer = (await fakePeer(
      `return request.op === 'hello' ? { name: 'Fake', version: '1' } : { error: 'out of memory' };`,
    )) as Peer;
    await expect(peer.build({})).rejects.toThrow('out of memory');
  });
});

describe('a comparison', () => {
  it('divides the peer’s time by ours', async () => {
    const result = await comparison(await fakePeer(obliging), 5);
    expect(result.peer).toEqual({ name: 'Fake', version: '2 cpu', ms: 1000 });
    expect(result.ratioToPeer).toBe(1000 / result.ms);
    expect(result).not.toHaveProperty('reason');
  });

  it('refuses a peer whose model is of another size', async () => {
    await expect(comparison(await fakePeer(obliging), 6)).rejects.toThrow(
      "Expected the peer's model to have 5 parameters like ours; got 6.",
    );
  });

  it('does without a peer, and says why', async () => {
    const result = await comparison({ reason: 'none here' }, 5);
    expect(result).toMatchObject({ peer: null, ratioToPeer: null, reason: 'none here' });
  });
});
