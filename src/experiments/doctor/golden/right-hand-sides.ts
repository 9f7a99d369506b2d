/** The differential equations of golden files, by the text that names them. */
import type { VelocityField } from '../../../sampling/solvers/solver.ts';

/** dx/dt for one number. */
export type RightHandSide = (x: number, time: number) => number;

/**
 * The velocity at (x, t) of the flow from N(0, 1) to N(mean, deviation^2) under independent pairing:
 * m + (t s^2 - (1 - t)) / ((1 - t)^2 + t^2 s^2) (x - t m).
 */
export function gaussianVelocity(mean: number, deviation: number): RightHandSide {
  return (x, t) => {
    const variance = (1 - t) ** 2 + (t * deviation) ** 2;
    return mean + ((t * deviation ** 2 - (1 - t)) / variance) * (x - t * mean);
  };
}

const known: Readonly<Record<string, RightHandSide>> = {
  'sin(x)+t': (x, t) => Math.sin(x) + t,
  '-x': (x) => -x,
  '3t^2': (_x, t) => 3 * t * t,
};

/** The equation that a text names; null if it is not known. */
export function rightHandSide(text: string): RightHandSide | null {
  const gauss = /^gauss m=(\S+) s=(\S+)$/.exec(text);
  if (gauss !== null) return gaussianVelocity(Number(gauss[1]), Number(gauss[2]));
  return Object.hasOwn(known, text) ? known[text]! : null;
}

/** An equation as a field over batches; `onTime` hears every time that is evaluated. */
export function fieldOf(f: RightHandSide, onTime: (time: number) => void = () => {}): VelocityField<Float64Array> {
  return async (x, time) => {
    const elements = x.length / time.length;
    for (const t of time) onTime(t);
    return x.map((value, i) => f(value, time[Math.floor(i / elements)]!));
  };
}
