/** Sums of products by Einstein's convention, as transposes and matrix products. */
import * as o from '../../ops.ts';
import { elementCount, stridesOf } from '../../shape.ts';
import type { Tensor } from '../../tensor.ts';
import { allOperands, type NodeCall } from '../operator.ts';
import { indexConstant, listOf } from './index-list.ts';
import { onFloats } from './numbers.ts';

/** A tensor whose axes have labels, all different. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

/** Labels of a term; the axes that an ellipsis stands for are labelled by their distance from its end. */
function labelsOf(node: NodeCall, term: string, rank: number): string[] {
  const text = term.replace(/\s/g, '');
  if (!/^[A-Za-z]*(\.\.\.[A-Za-z]*)?$/.test(text)) node.refuse('a term of letters and one ellipsis', text.slice(0, 80));
  const [before, after] = text.split('...');
  if (after === undefined) return [...before];
  const count = Math.max(rank - before.length - after.length, 0);
  const between = Array.from({ length: count }, (_, i) => `.${count - i}`);
  return [...before, ...between, ...after];
}

/** The tensor along the diagonals of axes that share a label. */
function withoutRepeats({ tensor, labels }: Labelled): Labelled {
  const distinct = [...new Set(labels)];
  if (distinct.length === labels.length) return { tensor, labels };
  const strides = stridesOf(tensor.shape);
  const sizes = distinct.map((label) => tensor.shape[labels.indexOf(label)]);
  const steps = distinct.map((label) => labels.reduce((sum, one, i) => (one === label ? sum + strides[i] : sum), 0));
  const own = stridesOf(sizes);
  const offsets = listOf(elementCount(sizes), (at) =>
    sizes.reduce((sum, size, i) => sum + (Math.floor(at / own[i]) % size) * steps[i], 0),
  );
  const flat = o.gather(o.reshape(tensor, [-1]), indexConstant(offsets));
  return { tensor: o.reshape(flat, sizes), labels: distinct };
}

/** Axes in the order of `labels`; those that the tensor lacks have size 1. */
function ordered({ tensor, labels: own }: Labelled, labels: readonly string[]): Tensor {
  const present = labels.filter((label) => own.includes(label));
  const turned = o.transpose(
    tensor,
    present.map((label) => own.indexOf(label)),
  );
  return o.reshape(
    turned,
    labels.map((label) => (own.includes(label) ? tensor.shape[own.indexOf(label)] : 1)),
  );
}

/** The sum over all labels that are not among `kept`. */
function summed({ tensor, labels }: Labelled, kept: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, i) => (kept.has(label) ? [] : [i]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: o.reduceSum(tensor, { axes }), labels: labels.filter((label) => kept.has(label)) };
}

function sizeIn({ tensor, labels }: Labelled, label: string): number {
  return labels.includes(label) ? tensor.shape[labels.indexOf(label)] : 1;
}

/**
 * Product of two tensors, summed over the labels that are not needed any more: labels that both have and that stay are batch axes
 * of a matrix product, those that both have and that go its inner axis. A size 1 stretches.
 */
function contracted(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const kept = new Set([...needed, ...shared]);
  const [left, right] = [summed(a, kept), summed(b, kept)];
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const size = (label: string) => Math.max(sizeIn(left, label), sizeIn(right, label));
  const matrix = (x: Labelled, first: readonly string[], second: readonly string[]) => {
    const own = batch.map((label) => sizeIn(x, label));
    const whole = o.broadcastTo(ordered(x, [...batch, ...first, ...second]), [
      ...own,
      ...[...first, ...second].map(size),
    ]);
    return o.reshape(whole, [...own, elementCount(first.map(size)), elementCount(second.map(size))]);
  };
  const product = o.matmul(matrix(left, rows, inner), matrix(right, inner, columns));
  const labels = [...batch, ...rows, ...columns];
  return { tensor: o.reshape(product, labels.map(size)), labels };
}

/** Labels of the result where the equation has no arrow: those of the ellipsis, then those that stand once, in the order of the alphabet. */
function impliedLabels(terms: readonly (readonly string[])[]): string[] {
  const all = terms.flat();
  const dots = [...new Set(all.filter((label) => label.startsWith('.')))].sort((a, b) => Number(b) - Number(a));
  const once = all.filter((label) => !label.startsWith('.') && all.indexOf(label) === all.lastIndexOf(label));
  return [...dots, ...once.sort()];
}

/** Operator `Einsum`: operands are contracted from the left. */
export function einsum(node: NodeCall): Tensor {
  const [left, right] = node.attributes.text('equation', '').split('->');
  const terms = left.split(',');
  const operands = allOperands(node);
  if (terms.length !== operands.length) node.refuse(`${operands.length} terms`, `${terms.length}`);
  const labels = operands.map(({ shape }, i) => {
    const found = labelsOf(node, terms[i], shape.length);
    return found.length === shape.length ? found : node.refuse(`${shape.length} labels`, found.join(''));
  });
  const dots = Math.max(...labels.map((list) => list.filter((label) => label.startsWith('.')).length));
  const wanted =
    right === undefined
      ? impliedLabels(labels)
      : labelsOf(node, right, right.replace(/[\s.]/g, '').length + (right.includes('...') ? dots : 0));
  if (!wanted.every((label) => labels.some((list) => list.includes(label))))
    node.refuse('labels of the result to stand in a term', wanted.join(''));
  return onFloats(operands, (...tensors) => {
    const parts = tensors.map((tensor, i) => withoutRepeats({ tensor, labels: labels[i] }));
    const result = parts.reduce((a, b, i) =>
      contracted(a, b, new Set([...wanted, ...parts.slice(i + 1).flatMap((part) => part.labels)])),
    );
    return ordered(summed(result, new Set(wanted)), wanted);
  });
}
