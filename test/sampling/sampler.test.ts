import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { Runtime } from '../../src/engine/runtime.ts';
import { elementCount } from '../../src/engine/shape.ts';
import { ConfigError } from '../../src/errors.ts';
import { mlp } from '../../src/models/mlp.ts';
import type { Model } from '../../src/models/model.ts';
import { flattenParameters, parameterTypes } from '../../src/models/parameters.ts';
import { unet } from '../../src/models/unet.ts';
import { normalsFromSeeds } from '../../src/numerics/normal.ts';
import { createSampler, type LatentSamples, type SampleRequest, type Sampler } from '../../src/sampling/sampler.ts';
import { dopri5 } from '../../src/sampling/solvers/dopri5.ts';
import { SOLVERS, type SolverName } from '../../src/sampling/solvers/solver-table.ts';
import { uniformGrid } from '../../src/sampling/time-grid.ts';

const point = { shape: [2], hidden: [40, 40], activation: 'silu', timeFeatures: null } as const;
const classes = 3;
const models = {
  mlp: mlp({ ...point, classes }),
  unlabelled: mlp({ ...point, classes: null }),
  unet: unet({
    shape: [1, 8, 8],
    channels: [8, 16],
    blocks: 1,
    attention: [1],
    headChannels: 8,
    middle: true,
    skips: 'blocks',
    resample: 'pooling',
    groups: 4,
    classes,
  }),
} satisfies Record<string, Model>;

/** Parameters without zeros, so that every input of the network matters. */
function someParameters(model: Model): Record<string, Float32Array> {
  return Object.fromEntries(
    flattenParameters(model.parameters).map(([path, { shape }], i) => [
      path,
      normalsFromSeeds(Uint32Array.of(i), elementCount(shape)).map((value) => 0.3 * value),
    ]),
  );
}

const batch = 5;
const samplers = {} as Record<keyof typeof models, Sampler>;
let runtime: Runtime;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 2 });
  for (const name of Object.keys(models) as (keyof typeof models)[]) {
    const model = models[name];
    const parameters = someParameters(model);
    const parameterTypesOfModel = parameterTypes(model.parameters);
    samplers[name] = await createSampler(runtime, { model, parameterTypes: parameterTypesOfModel, parameters, batch });
  }
});
afterAll(() => runtime.release());

const usual = { solver: SOLVERS.midpoint, grid: uniformGrid(4), guidance: 1 };

async function collect(sampler: Sampler, request: SampleRequest): Promise<LatentSamples[]> {
  const parts: LatentSamples[] = [];
  for await (const part of sampler.sample(request)) parts.push(part);
  return parts;
}

/** Latents by seed; sample i has the label of its seed, seed mod classes. */
async function latentsBySeed(
  name: keyof typeof models,
  seeds: readonly number[],
  change: Partial<SampleRequest> = {},
): Promise<Map<number, Float32Array>> {
  const { shape } = models[name].input;
  const elements = elementCount(shape);
  const labels = models[name].classes === null ? null : Int32Array.from(seeds, (seed) => seed % classes);
  const found = new Map<number, Float32Array>();
  for (const part of await collect(samplers[name], { ...usual, seeds: Uint32Array.from(seeds), labels, ...change })) {
    part.seeds.forEach((seed, row) => {
      found.set(seed, part.latents.slice(row * elements, (row + 1) * elements));
    });
  }
  return found;
}

const seed = 4_000_000_000;
const others = [7, 1, 12, 3, 99, 100, 4];

describe.each(Object.keys(SOLVERS) as SolverName[])('a sample by %s', (name) => {
  it.each([1, 2.5])('depends bit for bit on its seed and label alone, at guidance %d', async (guidance) => {
    const change = { solver: SOLVERS[name], grid: uniformGrid(3), guidance };
    const alone = (await latentsBySeed('mlp', [seed], change)).get(seed);
    // Every place in a batch, and the second batch.
    for (let place = 0; place <= others.length; place++) {
      const seeds = others.toSpliced(place, 0, seed);
      expect((await latentsBySeed('mlp', seeds, change)).get(seed)).toEqual(alone);
    }
    expect((await latentsBySeed('mlp', [seed + 3], change)).get(seed + 3)).not.toEqual(alone);
  });
});

describe('a sample', () => {
  it('of a U-Net depends on its seed and label alone, too', async () => {
    const change = { guidance: 1.5, grid: uniformGrid(2) };
    const alone = (await latentsBySeed('unet', [seed], change)).get(seed);
    for (const place of [1, 3, 4, 6]) {
      const seeds = others.toSpliced(place, 0, seed);
      expect((await latentsBySeed('unet', seeds, change)).get(seed)).toEqual(alone);
    }
  });

  it('starts at the normals of its seed', async () => {
    const [{ trajectory }] = await collect(samplers.mlp, {
      ...usual,
      seeds: Uint32Array.of(seed, 1),
      labels: null,
      trajectory: true,
    });
    expect(trajectory?.[0]).toEqual(normalsFromSeeds(Uint32Array.of(seed, 1), 2));
  });

  it('ends where its trajectory ends, and the trajectory changes nothing', async () => {
    for (const solver of [SOLVERS.heun, SOLVERS.dopri5]) {
      const request = { ...usual, solver, seeds: Uint32Array.from(others), labels: null };
      const plain = await collect(samplers.mlp, request);
      const traced = await collect(samplers.mlp, { ...request, trajectory: true });
      expect(traced.map(({ latents }) => latents)).toEqual(plain.map(({ latents }) => latents));
      expect(traced.map(({ trajectory }) => trajectory?.at(-1))).toEqual(plain.map(({ latents }) => latents));
      expect(traced.map(({ trajectory }) => trajectory?.length)).toEqual([5, 5]);
      expect(plain.map(({ trajectory }) => trajectory)).toEqual([null, null]);
    }
  });

  it('comes in batches in the order of the seeds, with labels', async () => {
    const seeds = Uint32Array.from(others);
    const labels = Int32Array.of(0, 1, 2, 3, 0, 1, 2);
    const parts = await collect(samplers.mlp, { ...usual, seeds, labels });
    expect(parts.map((part) => [...part.seeds])).toEqual([others.slice(0, 5), others.slice(5)]);
    expect(parts.map((part) => [...part.labels!])).toEqual([
      [0, 1, 2, 3, 0],
      [1, 2],
    ]);
    expect(parts.map(({ latents }) => latents.length)).toEqual([10, 4]);
  });
});

describe('the problems of a request', () => {
  it.each([1, 2.5])('are those that its samples solve, at guidance %d', async (guidance) => {
    const request = { ...usual, guidance, seeds: Uint32Array.from(others), labels: Int32Array.of(0, 1, 2, 3, 0, 1, 2) };
    const parts = await collect(samplers.mlp, request);
    const problems = [...samplers.mlp.problems(request)];
    expect(problems.map(({ seeds, labels }) => [seeds, labels])).toEqual(
      parts.map(({ seeds, labels }) => [seeds, labels]),
    );
    for (const [i, problem] of problems.entries()) {
      expect(problem.batch).toBe(batch);
      expect(problem.x0).toHaveLength(2 * batch);
      const { x } = await usual.solver.solve(problem, usual.grid);
      expect(x.slice(0, 2 * problem.seeds.length)).toEqual(parts[i]!.latents);
    }
  });

  it('are checked, and end with the reason of their signal', async () => {
    const request = { seeds: Uint32Array.of(1), labels: null, guidance: 2 };
    expect(() => samplers.mlp.problems(request)).toThrow('Expected labels, as `guidance` is not 1; got none.');
    const signal = AbortSignal.abort(new Error('enough'));
    const [problem] = samplers.mlp.problems({ ...request, guidance: 1, signal });
    await expect(usual.solver.solve(problem!, usual.grid)).rejects.toThrow('enough');
  });
});

describe('guidance', () => {
  const seeds = Uint32Array.of(1, 2, 3, 4);
  const labels = Int32Array.of(0, 1, 2, 0);
  /** Velocity at time 0: one Euler step over [0, 1]. */
  async function velocity(given: Int32Array | null, guidance: number): Promise<Float32Array> {
    const request = { solver: SOLVERS.euler, grid: uniformGrid(1), seeds, labels: given, guidance };
    const [{ latents }] = await collect(samplers.mlp, request);
    const x0 = normalsFromSeeds(seeds, 2);
    return latents.map((value, i) => value - x0[i]);
  }

  it.each([0, 0.5, 2, -1])('of weight %d is v(null) + weight (v(label) - v(null))', async (weight) => {
    const conditional = await velocity(labels, 1);
    const unconditional = await velocity(null, 1);
    const guided = await velocity(labels, weight);
    expect(conditional).not.toEqual(unconditional);
    guided.forEach((value, i) => {
      const wanted = unconditional[i] + weight * (conditional[i] - unconditional[i]);
      expect(Math.abs(value - wanted)).toBeLessThan(2e-6);
    });
  });

  it('of weight 1 is the plain network', async () => {
    const request = { ...usual, seeds, labels };
    const [plain] = await collect(samplers.mlp, request);
    const [barely] = await collect(samplers.mlp, { ...request, guidance: 1 + 1e-7 });
    plain.latents.forEach((value, i) => {
      expect(barely.latents[i]).toBeCloseTo(value, 5);
    });
  });

  it('without labels is the null class', async () => {
    expect(await velocity(null, 1)).toEqual(await velocity(new Int32Array(4).fill(classes), 1));
  });
});

describe('evaluations', () => {
  it.each<[SolverName, number]>([
    ['euler', 4],
    ['midpoint', 8],
    ['rk4', 16],
  ])('of %s in 4 steps are %d', async (name, count) => {
    for (const guidance of [1, 2]) {
      const seeds = Uint32Array.from(others);
      const labels = Int32Array.from(others, () => 1);
      const parts = await collect(samplers.mlp, { ...usual, solver: SOLVERS[name], guidance, seeds, labels });
      expect(parts.flatMap(({ evaluations }) => [...evaluations])).toEqual(others.map(() => count));
    }
  });

  it('too few for dopri5 give samples that have not converged', async () => {
    const request = { ...usual, seeds: Uint32Array.of(1, 2), labels: null };
    const tight = { relativeTolerance: 1e-7, absoluteTolerance: 1e-7 };
    const [few] = await collect(samplers.mlp, { ...request, solver: dopri5({ ...tight, maxEvaluations: 8 }) });
    expect(few.converged).toBe(false);
    expect(few.evaluations.every((count) => count <= 8)).toBe(true);
    const [enough] = await collect(samplers.mlp, { ...request, solver: dopri5(tight) });
    expect(enough.converged).toBe(true);
  });
});

describe('a request', () => {
  const two = { ...usual, seeds: Uint32Array.of(1, 2) };

  it.each<[string, keyof typeof models, Partial<SampleRequest>, string]>([
    [
      'labels of a model without',
      'unlabelled',
      { labels: Int32Array.of(0, 1) },
      'Expected no labels, as the model has no classes; got 2 labels.',
    ],
    ['too few labels', 'mlp', { labels: Int32Array.of(0) }, 'Expected a label for each of the 2 seeds; got 1.'],
    [
      'labels beyond the null class',
      'mlp',
      { labels: Int32Array.of(0, 4) },
      'Expected labels in [0, 3], where 3 is the null class; got 4.',
    ],
    ['labels below 0', 'mlp', { labels: Int32Array.of(-1, 0) }, 'got -1'],
    [
      'guidance without labels',
      'mlp',
      { labels: null, guidance: 2 },
      'Expected labels, as `guidance` is not 1; got none.',
    ],
    [
      'guidance that is no number',
      'mlp',
      { labels: Int32Array.of(0, 1), guidance: Number.NaN },
      'Expected `guidance` to be a number; got NaN.',
    ],
  ])('with %s is refused', (_what, model, change, message) => {
    const request = { ...two, labels: null, ...change };
    expect(() => samplers[model].sample(request)).toThrow(ConfigError);
    expect(() => samplers[model].sample(request)).toThrow(message);
  });

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await expect(collect(samplers.mlp, { ...two, labels: null, signal: controller.signal })).rejects.toThrow('enough');
    // The sampler serves the next request.
    expect(await collect(samplers.mlp, { ...two, labels: null })).toHaveLength(1);
  });
});
