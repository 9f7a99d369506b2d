import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

/** What a bench prints and its exit status. */
async function bench(
  ...args: string[]
): Promise<{ readonly out: string; readonly err: string; readonly status: number }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, ...args]);
    return { out: stdout, err: stderr, status: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { out: stdout, err: stderr, status: code };
  }
}

const number = expect.any(Number);

describe('npm run bench', () => {
  it('lists the benches and their cases without a name and with --help', async () => {
    const [plain, help] = await Promise.all([bench(), bench('--help')]);
    expect(plain).toEqual({ ...help, status: 0 });
    for (const name of ['gemm', 'step', 'host', 'trace']) expect(plain.out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(plain.out).toContain('dit-s2, adm-cifar10, vq-vae, fashion-unet');
  });

  it('refuses a bench and a case that do not exist, naming those that do', async () => {
    const [unknown, wrongCase, rounds] = await Promise.all([
      bench('stop'),
      bench('step', '--cases', 'tiny,huge'),
      bench('step', '--rounds', '0'),
    ]);
    expect(unknown).toMatchObject({ status: 2, out: '' });
    expect(unknown.err).toContain(
      'a bench (gemm, step, host, trace, spinning, assignment, loom, closed-form, efm, frechet, features); got "stop"',
    );
    expect(wrongCase).toMatchObject({ status: 2, out: '' });
    expect(wrongCase.err).toContain('got "huge"');
    expect(rounds).toMatchObject({ status: 2, out: '' });
    expect(rounds.err).toContain('positive integer');
  });

  it('prints one line of JSON with --json, and says why there is no peer', async () => {
    const { out, status } = await bench('step', '--cases', 'tiny', '--python', 'none', '--rounds', '3', '--json');
    expect(status).toBe(0);
    expect(out.trimEnd().split('\n')).toHaveLength(1);
    const result = JSON.parse(out);
    expect(Object.keys(result)).toEqual(['bench', 'machine', 'cases']);
    expect(result.bench).toBe('step');
    expect(result.machine).toMatchObject({ cores: number, threads: 2, spinning: false, load: [number, number] });
    expect(result.cases).toEqual([
      {
        case: 'tiny',
        ms: number,
        gflops: number,
        fractionOfGemm: number,
        peer: null,
        reason: 'no Python was wanted',
        ratioToPeer: null,
        memory: process.platform === 'linux' ? { bytes: number, peerBytes: null } : null,
        details: expect.objectContaining({ parameters: number, turns: 3, gemmGflops: number }),
      },
    ]);
    const [{ ms, gflops, fractionOfGemm, memory, details }] = result.cases;
    // Node and ONNX Runtime alone take more than the first, and the network hardly anything.
    if (memory !== null) expect([memory.bytes > 60 * 2 ** 20, memory.bytes < 600 * 2 ** 20]).toEqual([true, true]);
    expect(ms).toBeGreaterThan(0);
    expect(gflops).toBeCloseTo(details.gflop / (ms / 1000), 9);
    expect(fractionOfGemm).toBeCloseTo(gflops / details.gemmGflops, 9);
  });

  it('measures an autoencoder, and shows memory in the table', async () => {
    const { out } = await bench('step', '--cases', 'tiny-vq-vae', '--python', 'none', '--rounds', '1');
    const memory = process.platform === 'linux' ? / +MiB +peer MiB +of peer\ntiny-vq-vae .* \d+ +- +-\n/ : /ratio\n/;
    expect(out).toMatch(memory);
  });

  it('says that a Python cannot be started, and measures without it', async () => {
    const { out } = await bench('gemm', '--cases', 'tiny', '--python', '/no/such/python', '--rounds', '1', '--json');
    const [result] = JSON.parse(out).cases;
    expect(result).toMatchObject({ case: 'tiny', peer: null, ratioToPeer: null });
    expect(result.reason).toContain('`/no/such/python`: ');
  });

  it('prints a table without --json', async () => {
    const { out } = await bench('trace', '--cases', 'tiny', '--rounds', '1');
    expect(out).toMatch(/^bench trace\ncase +ms +GFLOP\/s +of GEMM +peer ms +ratio\ntiny +[\d.]+ +- +- +- +-\n/);
    expect(out).toMatch(/sessionMs [\d.]+/);
    expect(out).toMatch(/^load average: [\d.]+ before, [\d.]+ after$/m);
  });

  it('solves LOOM’s assignments without a peer', async () => {
    const { out } = await bench('assignment', '--cases', 'tiny', '--python', 'none', '--rounds', '2', '--json');
    const [cold, warm] = JSON.parse(out).cases.map(({ details, ...result }: { details: object }) => ({
      ...result,
      ...details,
    }));
    expect(cold).toMatchObject({ case: 'tiny', peer: null, reason: 'no Python was wanted', turns: 2 });
    expect(warm).toBeUndefined();
    expect(cold.ms).toBeGreaterThan(0);
    expect(cold.keptPairs).toBeGreaterThan(0.3);
    expect(cold.keptPairs).toBeLessThan(1);
  });

  it('asks the exact field, and says how much memory it takes besides the data', async () => {
    const { out } = await bench('closed-form', '--cases', 'tiny', '--python', 'none', '--rounds', '1', '--json');
    const [{ details, ...tiny }] = JSON.parse(out).cases;
    expect(tiny).toMatchObject({ case: 'tiny', peer: null });
    expect(tiny.gflops).toBeGreaterThan(0);
    expect(details.dataMiB).toBeCloseTo((300 * 8 * 4) / 2 ** 20, 10);
    expect(Number(details.medianLargestWeight)).toBeGreaterThan(1 / 300);
    if (process.platform === 'linux') expect(details.peakAboveDataMiB).toBeGreaterThan(0);
  });

  it('watches the training loop: time outside the graph, and memory', async () => {
    const { out } = await bench('host', '--cases', 'tiny,tiny-rss', '--rounds', '3', '--json');
    const [share, memory] = JSON.parse(out).cases;
    expect(share.details).toMatchObject({ turns: 3, batch: 16 });
    expect(share.details.hostShare).toBeGreaterThan(0);
    expect(share.details.hostShare).toBeLessThan(1);
    expect(share.details.hostMs).toBeCloseTo(share.ms * share.details.hostShare, 9);
    expect(memory.details).toMatchObject({ steps: 200, rssLastQuarterMiB: number });
    expect(memory.details.growthMiB).toBeCloseTo(
      memory.details.rssLastQuarterMiB - memory.details.rssSecondQuarterMiB,
      9,
    );
  });
});
