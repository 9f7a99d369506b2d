/** What the importer knows of one ONNX operator, and one node as an operator sees it. */
import { formatType, type Tensor } from '../tensor.ts';
import type { AttributeReader, Refuse } from './attribute-reader.ts';
import { knownNumbers, knownTensor } from './known-values.ts';
import type { FileGraph, FileTensor } from './model-record.ts';
import type { DecodedTensor } from './read-tensor.ts';

/** One application of an operator: its operands as tensors of the engine, and what the file says besides. */
export interface NodeCall {
  /** Version of the operator set, of the node's domain. */
  readonly opset: number;
  /** Operands in order; `null` for optional ones that are absent. */
  readonly inputs: readonly (Tensor | null)[];
  /** Code of the element type that the file declares for an operand, where it does: the engine's dtype may be wider. */
  readonly elementTypes: readonly (number | null)[];
  /** Number of outputs that the node names. */
  readonly outputCount: number;
  /** Whether something names the output with this index. */
  isUsed(output: number): boolean;
  readonly attributes: AttributeReader;
  readonly refuse: Refuse;
  /** Elements of a tensor attribute. */
  decode(tensor: FileTensor): DecodedTensor;
  /** Outputs of a graph attribute, which sees the values around the node. */
  body(graph: FileGraph): readonly Tensor[];
}

/** How one operator becomes operations of the engine. */
export interface Operator {
  /** Fewest and most operands. */
  readonly inputs: readonly [least: number, most: number];
  /** Operands that must be known while tracing, or that nothing trains: initialisers there are no parameters. */
  readonly known?: readonly number[];
  /** Whether the work grows with the product of the operands' sizes, so that only tiny ones are computed while tracing. */
  readonly isProduct?: boolean;
  /** The outputs; one tensor stands for a list of one. */
  readonly apply: (node: NodeCall) => Tensor | readonly Tensor[];
}

/** Operators of one family by `op_type`. */
export type Operators = Readonly<Record<string, Operator>>;

/** An operand that must be there. @throws DataError if it is absent. */
export function operand(node: NodeCall, index: number): Tensor {
  return node.inputs[index] ?? node.refuse(`operand ${index}`, 'none');
}

/** An operand that may be absent. */
export function optionalOperand(node: NodeCall, index: number): Tensor | null {
  return node.inputs[index] ?? null;
}

/** All operands, none absent. @throws DataError if one is. */
export function allOperands(node: NodeCall): Tensor[] {
  return node.inputs.map((_, index) => operand(node, index));
}

/**
 * Elements of an operand that must be known while tracing; `null` if it is absent.
 * @throws DataError if it depends on inputs or parameters.
 */
export function knownOperand(node: NodeCall, index: number): number[] | null {
  const tensor = optionalOperand(node, index);
  if (tensor === null) return null;
  return (
    knownNumbers(tensor) ??
    node.refuse(`operand ${index} to be known while tracing`, `${formatType(tensor)} that depends on inputs`)
  );
}

/** The same for an operand that must be there. */
export function requiredNumbers(node: NodeCall, index: number): number[] {
  return knownOperand(node, index) ?? node.refuse(`operand ${index}`, 'none');
}

/** A single number that must be known. @throws DataError if there are more or none. */
export function requiredNumber(node: NodeCall, index: number): number {
  const values = requiredNumbers(node, index);
  return values.length === 1 ? values[0] : node.refuse(`operand ${index} to be one number`, `${values.length}`);
}

/** A list that was an attribute in old operator sets and is an operand in new ones; `null` if absent. */
export function attributeOrOperand(node: NodeCall, name: string, index: number): readonly number[] | null {
  return node.attributes.ints(name) ?? knownOperand(node, index);
}

/** A tensor of a file as a constant of the graph. */
export function tensorConstant({ dtype, shape, values }: DecodedTensor): Tensor {
  return knownTensor(dtype, shape, values);
}
