/** Control flow. Only what is decided while tracing can be followed: graphs of the engine have no branches. */
import type { Tensor } from '../../tensor.ts';
import { type NodeCall, type Operators, requiredNumber } from '../operator.ts';

/** The outputs of the branch that a known condition takes. */
function ifElse(node: NodeCall): readonly Tensor[] {
  const [then, otherwise] = [node.attributes.graph('then_branch'), node.attributes.graph('else_branch')];
  const taken = requiredNumber(node, 0) === 0 ? otherwise : then;
  return node.body(taken ?? node.refuse('two branches', 'fewer'));
}

export const controlOperators: Operators = {
  If: { inputs: [1, 1], known: [0], apply: ifElse },
};
