import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NativeRuntime, openNativeRuntime } from '../../src/engine/native/native-runtime.ts';
import type { OnnxNode } from '../../src/engine/onnx/model-proto.ts';
import { overwriting } from '../../src/engine/onnx/overwriting.ts';
import type { OnnxModel, Runtime } from '../../src/engine/runtime.ts';
import { createStepper, nextName, type Stepper, type StepperOptions } from '../../src/engine/stepper.ts';
import { RuntimeError, ShapeError } from '../../src/errors.ts';
import { longModel, model, node, spec } from './tiny-models.ts';

let runtime: NativeRuntime;
let stepper: Stepper;
beforeAll(async () => {
  runtime = await openNativeRuntime({ threads: 1 });
});
afterAll(() => runtime.release());
afterEach(() => stepper.release());

const two = [2];

/** weight ← weight + gain · sum, sum ← 0; loss = weight · probe before the step. */
const update: OnnxModel = model({
  nodes: [
    node('scaled = Mul(sum, gain)'),
    node(`${nextName('weight')} = Add(weight, scaled)`),
    node(`${nextName('sum')} = Sub(sum, sum)`),
    node('loss = Mul(weight, gain)'),
  ],
  inputs: [spec('gain', two), spec('weight', two), spec('sum', two)],
  outputs: [spec(nextName('weight'), two), spec('loss', two), spec(nextName('sum'), two)],
});

/** sum ← sum + x. */
const accumulate: OnnxModel = model({
  nodes: [node(`${nextName('sum')} = Add(sum, x)`)],
  inputs: [spec('sum', two), spec('x', two)],
  outputs: [spec(nextName('sum'), two)],
});

/** y = weight · x; reads the state only. */
const predict: OnnxModel = model({
  nodes: [node('y = Mul(weight, x)')],
  inputs: [spec('weight', two), spec('x', two)],
  outputs: [spec('y', two)],
});

/** weight ← table[index] with an index that may lie outside: a step that fails. */
const failing: OnnxModel = model({
  nodes: [node(`${nextName('weight')} = Gather(weight, index)`)],
  inputs: [spec('weight', two), spec('index', two, 'int64')],
  outputs: [spec(nextName('weight'), two)],
});

const options: StepperOptions = {
  state: { parameters: [spec('weight', two)], accumulated: [spec('sum', two)] },
  programs: {
    update: { model: update },
    accumulate: { model: accumulate },
    predict: { model: predict },
    failing: { model: failing },
  },
};

const pair = (first: number, second: number) => Float32Array.of(first, second);

async function numbers(names?: readonly string[]): Promise<Record<string, number[]>> {
  const state = await stepper.readState(names);
  return Object.fromEntries(Object.entries(state).map(([name, values]) => [name, [...values].map(Number)]));
}

describe('state', () => {
  test('starts at zero, is written by name and read back, whole or in parts', async () => {
    stepper = await createStepper(runtime, options);
    expect(await numbers()).toEqual({ weight: [0, 0], sum: [0, 0] });
    await stepper.writeState({ weight: pair(1, 2) });
    expect(await numbers(['weight'])).toEqual({ weight: [1, 2] });
    expect(await numbers()).toEqual({ weight: [1, 2], sum: [0, 0] });
  });

  test('that is read is a copy', async () => {
    stepper = await createStepper(runtime, options);
    const { weight } = await stepper.readState();
    await stepper.writeState({ weight: pair(3, 3) });
    expect([...weight!]).toEqual([0, 0]);
  });

  test('is written as a whole or not at all', async () => {
    stepper = await createStepper(runtime, options);
    await expect(stepper.writeState({ weight: pair(1, 1), sum: new Float32Array(3) })).rejects.toThrow(ShapeError);
    await expect(stepper.writeState({ weight: pair(1, 1), other: pair(1, 1) })).rejects.toThrow(
      'Expected names of state tensors; got `other`.',
    );
    expect(await numbers()).toEqual({ weight: [0, 0], sum: [0, 0] });
  });
});

describe('steps', () => {
  test('of programs that touch different groups agree with a sequential computation, in every order', async () => {
    stepper = await createStepper(runtime, options);
    let weight = 0;
    let sum = 0;
    // Every pair of parities of the two groups, entered from every side: accumulate flips one, update both.
    for (const [step, letter] of [...'aauaapuuapaaauau'].entries()) {
      if (letter === 'a') {
        await stepper.run('accumulate', { inputs: { x: pair(step, 1) } });
        sum += step;
      } else if (letter === 'u') {
        const { loss } = await stepper.run('update', { inputs: { gain: pair(2, 0) } });
        expect([...loss!]).toEqual([2 * weight, 0]);
        weight += 2 * sum;
        sum = 0;
      } else {
        const { y } = await stepper.run('predict', { inputs: { x: pair(3, 0) } });
        expect([...y!]).toEqual([3 * weight, 0]);
      }
      expect((await numbers()).weight![0]).toBe(weight);
      expect((await numbers()).sum![0]).toBe(sum);
    }
  });

  test('are served in the order they are asked for, reads and writes of state included', async () => {
    stepper = await createStepper(runtime, options);
    const first = stepper.run('accumulate', { inputs: { x: pair(1, 1) } });
    const written = stepper.writeState({ sum: pair(10, 10) });
    const second = stepper.run('accumulate', { inputs: { x: pair(2, 2) } });
    expect(await numbers(['sum'])).toEqual({ sum: [12, 12] });
    await Promise.all([first, written, second]);
  });

  test('are taken back one by one, with the groups that they replaced', async () => {
    stepper = await createStepper(runtime, options);
    await stepper.writeState({ weight: pair(1, 2), sum: pair(3, 4) });
    await stepper.run('update', { inputs: { gain: pair(1, 1) } });
    expect(await numbers()).toEqual({ weight: [4, 6], sum: [0, 0] });
    await stepper.revert('update');
    expect(await numbers()).toEqual({ weight: [1, 2], sum: [3, 4] });
    await stepper.run('accumulate', { inputs: { x: pair(1, 1) } });
    await stepper.revert('accumulate');
    expect(await numbers()).toEqual({ weight: [1, 2], sum: [3, 4] });
  });

  test('write over the state where that is safe, beside it where not, and only the latter is taken back', async () => {
    const proven = (nodes: readonly OnnxNode[], written: OnnxModel) => ({
      ...written,
      mayOverwrite: overwriting(nodes),
    });
    const summing = proven([node(`${nextName('sum')} = Add(sum, x)`)], accumulate);
    // `loss` may read the weight when it has been replaced.
    const unsafe = [node(`${nextName('weight')} = Add(weight, gain)`), node('loss = Mul(weight, gain)')];
    const moving = model({
      nodes: unsafe,
      inputs: [spec('gain', two), spec('weight', two)],
      outputs: [spec(nextName('weight'), two), spec('loss', two)],
    });
    const programs = { accumulate: { model: summing }, move: { model: proven(unsafe, moving) } };
    const allocated: string[] = [];
    const counting: Runtime = {
      ...runtime,
      allocate(one, where) {
        allocated.push(one.name);
        return runtime.allocate(one, where);
      },
    };
    stepper = await createStepper(counting, { ...options, programs, inPlace: true });
    const copies = (name: string) => allocated.filter((one) => one === name).length;
    expect([copies('sum'), copies('weight')]).toEqual([1, 2]);
    await stepper.writeState({ weight: pair(1, 2), sum: pair(3, 4) });
    for (let i = 0; i < 3; i++) await stepper.run('accumulate', { inputs: { x: pair(1, 10) } });
    expect(await stepper.run('move', { inputs: { gain: pair(2, 3) } })).toEqual({ loss: pair(2, 6) });
    expect(await numbers()).toEqual({ weight: [3, 5], sum: [6, 34] });
    expect(() => stepper.revert('accumulate')).toThrow(/one that writes in place/);
    await stepper.revert('move');
    expect(await numbers()).toEqual({ weight: [1, 2], sum: [6, 34] });
  });

  test('let the next inputs be filled during the current run', async () => {
    stepper = await createStepper(runtime, options);
    const seen = new Set<unknown>();
    let run: Promise<unknown> = Promise.resolve();
    for (let step = 1; step <= 4; step++) {
      const { x } = stepper.inputs('accumulate');
      seen.add(x);
      x!.write(pair(step, 0));
      await run;
      run = stepper.run('accumulate');
    }
    await run;
    expect(await numbers(['sum'])).toEqual({ sum: [10, 0] });
    expect(seen.size).toBe(2);
  });

  test('use the last batch again where no new one is given', async () => {
    stepper = await createStepper(runtime, options);
    await stepper.run('accumulate', { inputs: { x: pair(5, 0) } });
    await stepper.run('accumulate');
    await Promise.all([stepper.run('accumulate'), stepper.run('accumulate')]);
    expect(await numbers(['sum'])).toEqual({ sum: [20, 0] });
  });

  test('refuse to have the inputs of an unfinished run overwritten', async () => {
    stepper = await createStepper(runtime, options);
    const runs = [1, 2].map((x) => stepper.run('accumulate', { inputs: { x: pair(x, 0) } }));
    expect(() => stepper.inputs('accumulate')).toThrow(RuntimeError);
    await expect(stepper.run('accumulate', { inputs: { x: pair(9, 0) } })).rejects.toThrow(
      /at most one unfinished run/,
    );
    await Promise.all(runs);
    expect(await numbers(['sum'])).toEqual({ sum: [3, 0] });
  });

  test('refuse missing, unknown and misshapen inputs, and unknown programs', async () => {
    stepper = await createStepper(runtime, options);
    await expect(stepper.run('predict', { inputs: { z: pair(1, 1) } })).rejects.toThrow('got `z`');
    await expect(stepper.run('predict', { inputs: { x: new Float32Array(1) } })).rejects.toThrow(ShapeError);
    await expect(stepper.run('nothing')).rejects.toThrow(
      'Expected `program` to be one of `update`, `accumulate`, `predict`, `failing`; got `nothing`. In engine/stepper.',
    );
  });
});

describe('a step that fails', () => {
  test('leaves the state as it was, and the next one works', async () => {
    stepper = await createStepper(runtime, options);
    await stepper.writeState({ weight: pair(3, 4) });
    await expect(stepper.run('failing', { inputs: { index: BigInt64Array.of(1n, 9n) } })).rejects.toThrow(/Gather/);
    expect(await numbers(['weight'])).toEqual({ weight: [3, 4] });
    await stepper.run('failing', { inputs: { index: BigInt64Array.of(1n, 0n) } });
    expect(await numbers(['weight'])).toEqual({ weight: [4, 3] });
  });

  test('because it is aborted leaves the state as it was', async () => {
    const square = [128, 128];
    const step = model({
      nodes: [node(`${nextName('x')} = Identity(x)`)],
      inputs: [spec('x', square)],
      outputs: [spec(nextName('x'), square)],
    });
    stepper = await createStepper(runtime, {
      state: { state: [spec('x', square)] },
      programs: { long: { model: longModel(128, 200_000, nextName('x')) }, step: { model: step } },
    });
    const ones = new Float32Array(128 * 128).fill(1);
    await stepper.writeState({ x: ones });
    const aborter = new AbortController();
    const run = stepper.run('long', { signal: aborter.signal });
    const queued = stepper.run('step', { signal: aborter.signal });
    setTimeout(() => aborter.abort(new Error('stop')), 20);
    await expect(run).rejects.toThrow('stop');
    await expect(queued).rejects.toThrow('stop');
    expect((await stepper.readState()).x).toEqual(ones);
    await stepper.run('step');
    expect((await stepper.readState()).x).toEqual(ones);
  });
});

describe('createStepper', () => {
  async function refusal(changed: Partial<StepperOptions>): Promise<string> {
    const error = await createStepper(runtime, { ...options, ...changed }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ShapeError);
    return (error as ShapeError).message;
  }

  test('refuses a program that replaces part of a group', async () => {
    const group = { parameters: [spec('weight', two), spec('sum', two)] };
    expect(await refusal({ state: group })).toBe(
      'Expected program `accumulate` to have an output `next:weight`, as it replaces group `parameters`; got none. ' +
        'In engine/stepper.',
    );
  });

  test('refuses outputs for unknown state, other specs, and names that appear twice', async () => {
    expect(await refusal({ state: { parameters: [spec('weight', two)] } })).toContain('got `next:sum`');
    expect(await refusal({ state: { ...options.state, parameters: [spec('weight', [3])] } })).toContain('float32 [3]');
    expect(await refusal({ state: { ...options.state, again: [spec('sum', two)] } })).toContain('`sum` to appear once');
  });
});

describe('a stepper', () => {
  test('whose program is refused by ONNX Runtime holds nothing', async () => {
    const before = runtime.liveObjects();
    const nonsense = { model: model({ nodes: [node('y = Nonsense(x)')], inputs: [spec('x')], outputs: [spec('y')] }) };
    await expect(createStepper(runtime, { ...options, programs: { ...options.programs, nonsense } })).rejects.toThrow(
      /Nonsense/,
    );
    expect(runtime.liveObjects()).toBe(before);
  });

  test('holds one copy of state that no program replaces, and gives everything back', async () => {
    const before = runtime.liveObjects();
    stepper = await createStepper(runtime, {
      state: { frozen: [spec('weight', two)] },
      programs: { predict: { model: predict } },
    });
    // Session and run options, one weight, two x, one y.
    expect(runtime.liveObjects()).toBe(before + 2 + 1 + 2 + 1);
    await stepper.run('predict', { inputs: { x: pair(1, 1) } });
    stepper.release();
    stepper.release();
    expect(runtime.liveObjects()).toBe(before);
    await expect(stepper.run('predict')).rejects.toThrow('Expected stepper to be in use; got a released one.');
    await expect(stepper.readState()).rejects.toThrow(RuntimeError);
    expect(() => stepper.inputs('predict')).toThrow(RuntimeError);
  });

  test('released during a run stops it', async () => {
    stepper = await createStepper(runtime, { state: {}, programs: { long: { model: longModel(128, 200_000) } } });
    const run = stepper.run('long');
    await new Promise((resolve) => setTimeout(resolve, 20));
    stepper.release();
    await expect(run).rejects.toThrow(RuntimeError);
  });
});
