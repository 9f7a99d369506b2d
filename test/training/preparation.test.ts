import { describe, expect, it } from 'vitest';
import type { Coupling } from '../../src/coupling/coupling.ts';
import { independentCoupling } from '../../src/coupling/independent.ts';
import { loomCoupling } from '../../src/coupling/loom.ts';
import { minibatchOtCoupling } from '../../src/coupling/minibatch-ot.ts';
import { uniformTime } from '../../src/path/time-sampling.ts';
import type { LatentBatches } from '../../src/training/batches.ts';
import { openSteps, type PreparationOptions, preliminarySteps } from '../../src/training/preparation.ts';
import { batchOf, normalData, plainLoom, tools } from '../coupling/pairing-tools.ts';

const data = normalData(24, 3);

/** Batches of four, in the order of the set, over and over. */
function open(imagesSeen: number): LatentBatches {
  let position = imagesSeen;
  return {
    async next() {
      const indices = Uint32Array.from({ length: 4 }, (_, i) => (position + i) % data.count);
      position += 4;
      return batchOf(data, indices);
    },
    skipped: 0,
    async close() {},
  };
}

function optionsFor(coupling: Coupling, { accumulate = 1, pairingSteps = 1 } = {}): PreparationOptions {
  const preparation = {
    coupling,
    pairingSteps,
    time: uniformTime(),
    classes: 3,
    labelDropout: 0,
    jitter: true,
    seed: 1,
  };
  return { parts: { batch: 4, accumulate }, preparation };
}

const loom = (trainAfter = 0) =>
  loomCoupling({
    options: { ...plainLoom, trainAfter },
    data,
    tools,
    seed: 1,
  });

/** Inputs of the steps in [from, images), each committed as training does. */
async function stepsOf(options: PreparationOptions, { from = 0, images = 96 } = {}) {
  const steps = openSteps(open, { imagesSeen: from, images }, options);
  const perStep = options.parts.batch * options.parts.accumulate;
  const inputs = [];
  for (let position = from; position < images; position += perStep) {
    const batches = await steps.step(position);
    for (const { commit } of batches) commit();
    inputs.push(...batches.map((batch) => batch.inputs));
  }
  await steps.close();
  return inputs;
}

describe('steps that are paired several at a time', () => {
  it('use every datum once an epoch, in the order of the data', async () => {
    const inputs = await stepsOf(
      optionsFor(minibatchOtCoupling({ cost: 'squared', perClass: false }, tools), { pairingSteps: 3 }),
    );
    const targets = inputs.slice(0, 6).flatMap(({ target }) => [...(target as Float32Array)]);
    const set = await data.read(
      Uint32Array.from({ length: 24 }, (_, i) => i),
      new Uint8Array(24),
    );
    expect(targets).toEqual([...set]);
  });

  it('exchange noises among all of them: the pairs cost less than by single steps', async () => {
    const cost = async (pairingSteps: number) => {
      const inputs = await stepsOf(optionsFor(loom(), { pairingSteps }), { images: 24 });
      return inputs.reduce((sum, { source, target }) => {
        const z = source as Float32Array;
        return sum + (target as Float32Array).reduce((part, x, i) => part + (x - z[i]) ** 2, 0);
      }, 0);
    };
    expect(await cost(6)).toBeLessThan(await cost(3));
    expect(await cost(3)).toBeLessThan(await cost(1));
  });

  it('have the times, labels and jitter of the step that they are, however many are paired', async () => {
    const single = await stepsOf(optionsFor(independentCoupling()));
    const grouped = await stepsOf(optionsFor(independentCoupling(), { accumulate: 2, pairingSteps: 3 }));
    for (const name of ['target', 'time', 'labels', 'jitter']) {
      expect(grouped.map((inputs) => inputs[name])).toEqual(single.map((inputs) => inputs[name]));
    }
  });

  it('are the same when they are resumed in the middle of a group, from the state of the last commit', async () => {
    for (const stop of [4, 8, 12, 20, 44]) {
      const whole = await stepsOf(optionsFor(loom(), { pairingSteps: 3 }));
      const first = loom();
      const begun = await stepsOf(optionsFor(first, { pairingSteps: 3 }), { images: stop });
      expect(begun).toEqual(whole.slice(0, stop / 4));
      const second = loom();
      second.restore(first.state());
      expect(await stepsOf(optionsFor(second, { pairingSteps: 3 }), { from: stop })).toEqual(whole.slice(stop / 4));
    }
  });

  it('prepare the next group while the present one is in use, and none beyond the end', async () => {
    let opened = 0;
    const counted = (imagesSeen: number): LatentBatches => {
      const batches = open(imagesSeen);
      return {
        ...batches,
        next() {
          opened++;
          return batches.next();
        },
      };
    };
    const options = optionsFor(loom(), { pairingSteps: 3 });
    const steps = openSteps(counted, { imagesSeen: 0, images: 24 }, options);
    await steps.step(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(opened).toBe(6);
    for (let position = 4; position < 24; position += 4) await steps.step(position);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(opened).toBe(6);
  });
});

describe('work before the first step', () => {
  it('pairs so many images, and training goes on in the order of the data behind them', async () => {
    const coupling = loom(20);
    const options = optionsFor(coupling);
    const progress = [];
    for await (const { done, total } of preliminarySteps(open, options)) progress.push([done, total]);
    expect(progress).toEqual([0, 4, 8, 12, 16, 20].map((done) => [done, 20]));
    expect(coupling.state().paired[0]).toBe(20);
    const [first] = await stepsOf(options, { images: 4 });
    expect(first.target).toEqual(await data.read(Uint32Array.of(20, 21, 22, 23), new Uint8Array(4)));
    const none = [];
    for await (const part of preliminarySteps(open, options)) none.push(part);
    expect(none).toEqual([]);
  });

  it('goes on where it was broken off', async () => {
    const whole = loom(40);
    for await (const _ of preliminarySteps(open, optionsFor(whole)));
    const first = loom(40);
    for await (const { done } of preliminarySteps(open, optionsFor(first))) if (done >= 16) break;
    const second = loom(40);
    second.restore(first.state());
    for await (const _ of preliminarySteps(open, optionsFor(second)));
    expect(second.state()).toEqual(whole.state());
  });
});
