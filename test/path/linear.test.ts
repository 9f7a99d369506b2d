import { describe, expect, it } from 'vitest';
import { closeGraph } from '../../src/engine/graph.ts';
import { interpret } from '../../src/engine/interpreter.ts';
import { placeholder } from '../../src/engine/tensor.ts';
import { tensorType } from '../../src/engine/trace.ts';
import { stream } from '../../src/numerics/stream.ts';
import { linearPath, type Path, type PathPoint } from '../../src/path/linear.ts';

const batch = 3;
const shape = [batch, 2, 2];
const elements = 4;

function normals(purpose: string): number[] {
  const random = stream(7, purpose);
  return Array.from({ length: batch * elements }, () => random.normal());
}

const ends = { source: normals('source'), target: normals('target'), jitter: normals('jitter') };

/** Points and velocities of a path in float64. */
function samplePath(path: Path, time: readonly number[]) {
  const tensors = {
    source: placeholder(tensorType(shape)),
    target: placeholder(tensorType(shape)),
    time: placeholder(tensorType([batch])),
    ...(path.sigma > 0 ? { jitter: placeholder(tensorType(shape)) } : {}),
  };
  const { xt, velocity } = path.sample(tensors);
  const graph = closeGraph(Object.entries(tensors), [
    ['xt', xt],
    ['velocity', velocity],
  ]);
  return interpret(graph, { ...ends, time });
}

type Conversion = 'targetFromVelocity' | 'sourceFromVelocity' | 'velocityFromTarget' | 'velocityFromSource';

function convert(name: Conversion, value: ArrayLike<number>, { xt, time }: Record<'xt' | 'time', ArrayLike<number>>) {
  const path = linearPath();
  const tensors = {
    value: placeholder(tensorType(shape)),
    xt: placeholder(tensorType(shape)),
    time: placeholder(tensorType([batch])),
  };
  const point: PathPoint = tensors;
  const graph = closeGraph(Object.entries(tensors), [['result', path[name](tensors.value, point)]]);
  return interpret(graph, { value: Array.from(value), xt: Array.from(xt), time: Array.from(time) }).result;
}

function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 1e-12): void {
  expect(actual.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(actual[i] - wanted[i])).toBeLessThan(tolerance);
}

describe('the linear path', () => {
  it('starts at the source and ends at the target', () => {
    expectClose(samplePath(linearPath(), [0, 0, 0]).xt, ends.source);
    expectClose(samplePath(linearPath(), [1, 1, 1]).xt, ends.target);
  });

  it.each([0, 0.1])('has the time derivative of its points as velocity, sigma %d', (sigma) => {
    const path = linearPath({ sigma });
    const time = [0.1, 0.5, 0.93];
    const step = 1e-4;
    const after = samplePath(
      path,
      time.map((t) => t + step),
    ).xt;
    const before = samplePath(
      path,
      time.map((t) => t - step),
    ).xt;
    const slope = after.map((x, i) => (x - before[i]) / (2 * step));
    expectClose(samplePath(path, time).velocity, slope, 1e-10);
  });

  it('uses the time of each row', () => {
    const { xt } = samplePath(linearPath(), [0, 0.5, 1]);
    const { source, target } = ends;
    const wanted = source.map((x, i) => x + [0, 0.5, 1][Math.floor(i / elements)] * (target[i] - x));
    expectClose(xt, wanted);
  });

  it('adds sigma times the jitter, at every time', () => {
    const sigma = 0.25;
    for (const t of [0, 0.4, 1]) {
      const time = [t, t, t];
      const middle = samplePath(linearPath(), time).xt;
      const offsets = samplePath(linearPath({ sigma }), time).xt.map((x, i) => x - middle[i]);
      expectClose(
        offsets,
        ends.jitter.map((z) => sigma * z),
      );
    }
  });
});

describe('conversions on the linear path', () => {
  const time = [0.05, 0.5, 0.95];
  const { xt, velocity } = samplePath(linearPath(), time);
  const at = { xt, time };

  it('find the ends that a velocity joins', () => {
    expectClose(convert('targetFromVelocity', velocity, at), ends.target);
    expectClose(convert('sourceFromVelocity', velocity, at), ends.source);
  });

  it('find the velocity from either end', () => {
    expectClose(convert('velocityFromTarget', ends.target, at), velocity);
    expectClose(convert('velocityFromSource', ends.source, at), velocity);
  });

  it('are inverse to each other for any prediction', () => {
    const prediction = normals('prediction');
    expectClose(convert('velocityFromTarget', convert('targetFromVelocity', prediction, at), at), prediction);
    expectClose(convert('velocityFromSource', convert('sourceFromVelocity', prediction, at), at), prediction);
    expectClose(convert('targetFromVelocity', convert('velocityFromTarget', prediction, at), at), prediction);
    expectClose(convert('sourceFromVelocity', convert('velocityFromSource', prediction, at), at), prediction);
  });
});

describe('faults of the ends of a path', () => {
  const latents = () => placeholder(tensorType(shape));
  const time = placeholder(tensorType([batch]));

  it('are refused where they would be broadcast in silence', () => {
    const row = placeholder(tensorType([1, 2, 2]));
    expect(() => linearPath().sample({ source: row, target: latents(), time })).toThrow(
      'Expected `source` to be f32[3,2,2], as `target` is; got f32[1,2,2]. In path/linear sample.',
    );
    const one = placeholder(tensorType([1]));
    expect(() => linearPath().sample({ source: latents(), target: latents(), time: one })).toThrow(
      'Expected `time` to be [batch] = [3]; got f32[1].',
    );
  });

  it('are refused where jitter and width do not agree', () => {
    const both = { source: latents(), target: latents(), time };
    expect(() => linearPath({ sigma: 0.1 }).sample(both)).toThrow('Expected a `jitter`, as `sigma` is 0.1; got none.');
    expect(() => linearPath().sample({ ...both, jitter: latents() })).toThrow('Expected no `jitter`, as `sigma` is 0');
  });
});
