/**
 * Which forward values a gradient computes again. Products and convolutions are dear and kept; norms, activation functions and changes of
 * shape between them are cheap, and need not be. Of all values from which those that the gradient reads follow cheaply, the fewest bytes are
 * kept: a minimum cut of the forward graph, as in [jain:20]'s setting with every cheap call at no cost.
 */
import { callsInOrder } from './graph.ts';
import { tensorBytes } from './graph-memory.ts';
import { type Arc, minimumCut } from './minimum-cut.ts';
import * as operations from './ops.ts';
import { barrierPrimitive, firstElements } from './primitives/control.ts';
import { elementCount } from './shape.ts';
import { applyPrimitive, type Call, type Tensor } from './tensor.ts';

/** What is told of a gradient on its way back through the forward calls, and may change what it reads there. */
export interface Passage {
  /** The call that the rule is applied to in place of `call`. @param incoming  one an output; `null` for nothing. */
  before(call: Call, incoming: readonly (Tensor | null)[]): Call;
  /** @param parts  what the rule gave, one an input; `null` for what is not needed. */
  after(call: Call, incoming: readonly (Tensor | null)[], parts: readonly (Tensor | null)[]): void;
}

const isTensor = (x: Tensor | null) => x !== null;

/** Finds out which operands and results the rule of each call reads. */
export class ReadRecorder implements Passage {
  readonly reads = new Map<Call, ReadonlySet<Tensor>>();

  before(call: Call): Call {
    return call;
  }

  after(call: Call, incoming: readonly (Tensor | null)[], parts: readonly (Tensor | null)[]): void {
    const forward = new Set([...call.inputs, ...call.outputs]);
    const results = parts.filter(isTensor);
    const rule = callsInOrder(results, new Set([...forward, ...incoming.filter(isTensor)]));
    const read = [...results, ...rule.flatMap(({ inputs }) => inputs)];
    this.reads.set(call, new Set(read.filter((x) => forward.has(x))));
  }
}

/** Elementwise maps of one large operand. A sum of two, as a residual one, is kept: its like could otherwise follow from one another all the way. */
const maps: ReadonlySet<string> = new Set([
  'add',
  'divide',
  'gelu',
  'geluTanh',
  'leakyRelu',
  'maximum',
  'minimum',
  'multiply',
  'negate',
  'relu',
  'sigmoid',
  'silu',
  'subtract',
  'tanh',
]);

const norms: ReadonlySet<string> = new Set(['groupNorm', 'rmsScale', 'standardize']);

const moves: ReadonlySet<string> = new Set([
  'averagePool2d',
  'broadcastTo',
  'cast',
  'concat',
  'pad',
  'repeatPixels',
  'slice',
  'transpose',
]);

/** Results that are the memory of their operand. */
const views: ReadonlySet<string> = new Set(['reshape']);

function isCheap({ primitive: { name }, inputs, outputs }: Call): boolean {
  if (norms.has(name) || moves.has(name) || views.has(name)) return true;
  if (!maps.has(name)) return false;
  const size = elementCount(outputs[0].shape);
  return new Set(inputs.filter(({ shape }) => elementCount(shape) === size)).size <= 1;
}

/** Values below this share of all that is read are kept in any case: their number would cost more than their memory. */
const SMALL = 1e-3;

/**
 * The tensors that are computed again, from what else there is of the forward graph.
 * @param read  what the gradient needs.
 */
function computedAgain(forward: readonly Call[], read: ReadonlySet<Tensor>): ReadonlySet<Tensor> {
  const tensors = [...new Set(forward.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]))];
  const small = SMALL * [...read].reduce((sum, x) => sum + tensorBytes(x), 0);
  const numbers = new Map(tensors.map((x, i) => [x, i]));
  // Two nodes a tensor, between which it is cut if it is kept.
  const into = (x: Tensor) => 2 * numbers.get(x)!;
  const from = (x: Tensor) => into(x) + 1;
  const [source, sink] = [2 * tensors.length, 2 * tensors.length + 1];
  const always = (start: number, to: number): Arc => ({ from: start, to, capacity: Number.POSITIVE_INFINITY });
  const cost = (x: Tensor) => {
    if (x.call === null || x.call.inputs.length === 0 || tensorBytes(x) < small) return 0;
    return views.has(x.call.primitive.name) ? Number.POSITIVE_INFINITY : tensorBytes(x);
  };
  const arcs = tensors.flatMap((x): Arc[] => [
    { from: into(x), to: from(x), capacity: cost(x) },
    ...(x.call !== null && isCheap(x.call)
      ? x.call.inputs.map((input) => always(from(input), into(x)))
      : [always(source, into(x))]),
    ...(read.has(x) ? [always(from(x), sink)] : []),
  ]);
  const near = minimumCut(2 * tensors.length + 2, arcs, { source, sink });
  return new Set(tensors.filter((x) => near?.[into(x)] === true));
}

/** Computes values again where the gradient comes to read them, one place after the other, so that they exist at the same time only there. */
export class Recomputation implements Passage {
  readonly #reads: ReadonlyMap<Call, ReadonlySet<Tensor>>;
  /** Forward tensors that need not be computed again, or have been. */
  readonly #there: Set<Tensor>;
  readonly #again = new Map<Tensor, Tensor>();
  /** Gradients made of what was last computed again. */
  #last: Tensor[] = [];

  /**
   * @param forward  calls of the function, in order.
   * @param reads  which tensors the rule of each call reads.
   */
  constructor(forward: readonly Call[], reads: ReadonlyMap<Call, ReadonlySet<Tensor>>) {
    this.#reads = reads;
    const again = computedAgain(forward, new Set([...reads.values()].flatMap((some) => [...some])));
    const tensors = forward.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
    this.#there = new Set(tensors.filter((x) => !again.has(x)));
  }

  before(call: Call, incoming: readonly (Tensor | null)[]): Call {
    const missing = [...(this.#reads.get(call) ?? [])].filter((x) => !this.#there.has(x));
    const waitsFor = incoming.find(isTensor);
    if (missing.length > 0 && waitsFor !== undefined) this.#compute(missing, waitsFor);
    if (!this.#isChanged(call)) return call;
    const current = (x: Tensor) => this.#again.get(x) ?? x;
    return { ...call, inputs: call.inputs.map(current), outputs: call.outputs.map(current) };
  }

  after(call: Call, _incoming: readonly (Tensor | null)[], parts: readonly (Tensor | null)[]): void {
    if (this.#isChanged(call)) this.#last.push(...parts.filter(isTensor));
  }

  #isChanged({ inputs, outputs }: Call): boolean {
    return [...inputs, ...outputs].some((x) => this.#again.has(x));
  }

  /** Computes tensors again once there are `cotangent` and all gradients from what was computed before: then that can be given up. */
  #compute(wanted: readonly Tensor[], cotangent: Tensor): void {
    const calls = callsInOrder(wanted, this.#there);
    const made = new Set(calls.flatMap(({ outputs }) => outputs));
    const kept = [...new Set(calls.flatMap(({ inputs }) => inputs))].filter((x) => !made.has(x) && !this.#again.has(x));
    const values = kept.filter(({ call }) => call !== null && call.inputs.length > 0);
    const current = new Map(this.#again);
    if (values.length > 0) {
      const others = this.#last.filter(({ shape }) => elementCount(shape) > 0);
      const token = others.length === 0 ? cotangent : firstElements([...others, cotangent], operations);
      const late = applyPrimitive(barrierPrimitive, [...values, token], {});
      for (const [i, x] of values.entries()) current.set(x, late[i]);
      this.#last = [];
    }
    for (const { primitive, inputs, attributes, outputs } of calls) {
      const results = applyPrimitive(
        primitive,
        inputs.map((x) => current.get(x) ?? x),
        attributes,
      );
      for (const [i, x] of outputs.entries()) {
        if (this.#there.has(x)) continue;
        current.set(x, results[i]);
        this.#again.set(x, results[i]);
        this.#there.add(x);
      }
    }
  }
}
