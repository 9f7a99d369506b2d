import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Runtime } from '../src/engine/runtime.ts';
import { readConfig } from '../src/experiments/read-config.ts';
import type { Bench, BenchCase, BenchContext, CaseResult } from './bench.ts';
import { median } from './interleave.ts';
import { trainLoop } from './run-setup.ts';

/** Steps before measuring starts. */
const WARM_UP = 3;

const withoutPeer = {
  gflops: null,
  fractionOfGemm: null,
  peer: null,
  reason: 'nothing comparable',
  ratioToPeer: null,
} as const;

/** The runtime with a clock on its sessions' runs. */
function timedRuntime(runtime: Runtime): { readonly runtime: Runtime; insideMs(): number } {
  let inside = 0;
  return {
    insideMs: () => inside,
    runtime: {
      ...runtime,
      async createSession(model, options) {
        const session = await runtime.createSession(model, options);
        return {
          ...session,
          async run(binding, runOptions) {
            const start = performance.now();
            await session.run(binding, runOptions);
            inside += performance.now() - start;
          },
        };
      },
    },
  };
}

interface LoopSpec {
  /** Preset with changes. */
  readonly preset: string;
  readonly set: readonly string[];
  readonly steps: number;
}

function configFor({ preset, set, steps }: LoopSpec, { threads, spinning }: BenchContext['runtime'], logSteps: number) {
  const config = readConfig(preset, { set });
  const { batchSize } = config.training;
  const log = { everyImages: batchSize * logSteps };
  return {
    ...config,
    training: { ...config.training, images: batchSize * steps, log },
    runtime: { ...config.runtime, threads, spinning },
  };
}

async function measureShare(context: BenchContext, name: string, spec: LoopSpec): Promise<CaseResult> {
  const { runtime, insideMs } = timedRuntime(await context.openRuntime());
  const steps = (context.rounds ?? spec.steps) + WARM_UP;
  const config = configFor({ ...spec, steps }, context.runtime, 1);
  const marks: { readonly at: number; readonly inside: number; readonly busy: number }[] = [];
  const parameters = await trainLoop(runtime, config, () => {
    const busy = performance.eventLoopUtilization().active;
    marks.push({ at: performance.now(), inside: insideMs(), busy });
    context.progress(`${name}: step ${marks.length} of ${steps}`);
  });
  const intervals = marks.slice(WARM_UP).map((mark, i) => {
    const before = marks[WARM_UP + i - 1];
    return { ms: mark.at - before.at, inside: mark.inside - before.inside, busy: mark.busy - before.busy };
  });
  const ms = median(intervals.map((step) => step.ms));
  const hostMs = median(intervals.map((step) => step.ms - step.inside));
  return {
    case: name,
    ms,
    ...withoutPeer,
    details: {
      hostShare: hostMs / ms,
      hostMs,
      mainThreadBusyMs: median(intervals.map((step) => step.busy)),
      parameters,
      batch: config.training.batchSize,
      turns: intervals.length,
    },
  };
}

/** Steps between two looks at the memory. */
const RSS_STEPS = 250;

/** V8's garbage collection as a function, without a flag on the command line. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

function residentMiB(): number {
  return process.memoryUsage.rss() / 2 ** 20;
}

async function measureRss(context: BenchContext, name: string, spec: LoopSpec): Promise<CaseResult> {
  const runtime = await context.openRuntime();
  const config = configFor(spec, context.runtime, Math.min(RSS_STEPS, spec.steps / 20));
  const collectGarbage = garbageCollector();
  const memory: { readonly before: number; readonly after: number }[] = [];
  const times: number[] = [];
  await trainLoop(runtime, config, ({ imagesSeen, images, imagesPerSecond }) => {
    const before = residentMiB();
    // Left to itself, V8 lets garbage of some tens of MiB gather, which would hide a leak or look like one.
    collectGarbage();
    memory.push({ before, after: residentMiB() });
    times.push((1000 * config.training.batchSize) / imagesPerSecond);
    context.progress(`${name}: ${Math.round((100 * imagesSeen) / images)} %`);
  });
  const quarter = Math.floor(memory.length / 4);
  const second = median(memory.slice(quarter, 2 * quarter).map(({ after }) => after));
  const last = median(memory.slice(-quarter).map(({ after }) => after));
  return {
    case: name,
    ms: median(times),
    ...withoutPeer,
    details: {
      steps: spec.steps,
      growthMiB: last - second,
      rssSecondQuarterMiB: second,
      rssLastQuarterMiB: last,
      rssMostMiB: Math.max(...memory.map(({ before }) => before)),
    },
  };
}

type Measure = (context: BenchContext, name: string, spec: LoopSpec) => Promise<CaseResult>;

function loopCase(
  name: string,
  measure: Measure,
  { onlyByName = false, ...spec }: LoopSpec & { onlyByName?: boolean },
) {
  const result: BenchCase = { name, onlyByName, measure: (context) => measure(context, name, spec) };
  return result;
}

const dit10m = ['model.width=384', 'model.depth=4', 'model.heads=6'];
const smallMlp = ['model.kind=mlp', 'model.labels=true', 'model.hidden=[64, 64]', 'training.batchSize=16'];

/** What the host adds to the graph's time, and whether memory stays flat. */
export const host: Bench = {
  name: 'host',
  summary: 'time of a training step outside the graph, and memory over 20,000 steps',
  notes:
    'The real loop on the fashion set with validation off and checkpoints at the ends. `hostShare` is the part of a step in which no ' +
    'session runs; `mainThreadBusyMs` is what the main thread does in a step, most of it while the session runs. `growthMiB` is the median ' +
    'resident memory, garbage collected, of the last quarter of the steps less that of the second; `rssMostMiB` includes garbage.',
  cases: [
    loopCase('dit-10m', measureShare, { preset: 'fashion-dit', set: dit10m, steps: 25 }),
    loopCase('fashion-unet', measureShare, { preset: 'fashion-unet', set: [], steps: 50 }),
    loopCase('rss-20000', measureRss, { preset: 'fashion-unet', set: smallMlp, steps: 20_000 }),
    loopCase('tiny', measureShare, { preset: 'fashion-unet', set: smallMlp, steps: 5, onlyByName: true }),
    loopCase('tiny-rss', measureRss, { preset: 'fashion-unet', set: smallMlp, steps: 200, onlyByName: true }),
  ],
};
