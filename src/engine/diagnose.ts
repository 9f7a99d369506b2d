/** Where a computation stops being finite: a graph that looks at every value of another one. */
import { ShapeError } from '../errors.ts';
import { dtypeFacts } from './dtype.ts';
import { closeGraph, expandGraph, type Graph, inlineGraph, placeholdersFor } from './graph.ts';
import { printCall } from './graph-text.ts';
import { cast, concat, constantTensor, equal, not, reduceSum, reshape, subtract } from './ops.ts';
import { formatType, type Tensor } from './tensor.ts';

/** Longest part of a printed call that a message shows. */
const EXCERPT_LENGTH = 300;

/** Name of the diagnosing graph's output. */
export const nonFiniteOutput = 'nonFinite';

export interface Diagnosis {
  /**
   * Takes the inputs of the graph in question and has one output, `nonFinite`, float32 [values]: for each float value of that
   * graph in order (inputs, then results of calls, bodies of rematerialised calls included) 1 if an element is NaN or infinite, else 0.
   */
  readonly graph: Graph;
  /**
   * What the first value is that is not finite, as the part of a message that follows "got"; `null` if all are finite.
   * @param flags  the elements of `nonFinite`.
   * @throws ShapeError if they are not one a value.
   */
  explain(flags: ArrayLike<number | bigint>): string | null;
}

/** [1]: 0 if every element is finite, else NaN. */
function finiteness(x: Tensor): Tensor {
  const flat = reshape(x, [-1]);
  // x - x is 0 for a finite x and NaN for others; x * 0 would be, too, but is fused into products that then are not computed.
  return cast(reduceSum(subtract(flat, flat), { axes: [0], keepDims: true }), 'float32');
}

function describe(graph: Graph, value: number): string {
  const port = graph.inputs.find((input) => input.value === value);
  if (port !== undefined)
    return `NaN or infinity already in input \`${port.name}\`: ${formatType(graph.values[value])}`;
  const index = graph.calls.findIndex((call) => call.outputs.includes(value));
  const call = graph.calls[index];
  const line = printCall(call, graph);
  const excerpt = line.length > EXCERPT_LENGTH ? `${line.slice(0, EXCERPT_LENGTH)}...` : line;
  const output = graph.outputs.find((result) => result.value === value);
  const role = output === undefined ? '' : `, output \`${output.name}\``;
  return `NaN or infinity first in %${value}, the result of call ${index} (${call.primitive.name})${role}: ${excerpt}`;
}

/**
 * A graph that finds where another one, e.g. a training step, first produces a value that is not finite.
 *
 * Fails when infinite values are meant, such as -Infinity in a mask: the first of them is reported.
 */
export function diagnose(graph: Graph): Diagnosis {
  const expanded = expandGraph(graph);
  const floats = [...expanded.values.keys()].filter((value) => dtypeFacts[expanded.values[value].dtype].isFloat);
  const inputs = placeholdersFor(expanded);
  const everything = { ...expanded, outputs: floats.map((value) => ({ name: `${value}`, value })) };
  const tensors = inlineGraph(everything, inputs);
  const sums = floats.map((value) => finiteness(tensors[value]));
  const flags = sums.length === 0 ? constantTensor([], [0]) : cast(not(equal(concat(sums, 0), 0)), 'float32');
  return {
    graph: closeGraph(Object.entries(inputs), [[nonFiniteOutput, flags]]),
    explain(elements) {
      if (elements.length !== floats.length) {
        throw new ShapeError({
          expected: `\`flags\` to be one for each of ${floats.length} values`,
          got: `${elements.length}`,
          where: 'engine/diagnose',
        });
      }
      const first = floats.find((_, index) => Number(elements[index]) !== 0);
      return first === undefined ? null : describe(expanded, first);
    },
  };
}
