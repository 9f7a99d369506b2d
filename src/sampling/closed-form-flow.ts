/** The exact field of a data set as a flow: labels choose among its data, guidance goes beyond. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { ConfigError } from '../errors.ts';
import type { FlowModel } from './flow-model.ts';
import type { VelocityField } from './solvers/solver.ts';

export interface ClosedFormFlowOptions {
  /** Label of each datum, int32 [count]; null: the data have none. */
  readonly labels: Int32Array | null;
  /** Classes that labels name; null without labels. */
  readonly classes: number | null;
  /** Samples that are evaluated together. */
  readonly batch: number;
  /** Length of the last step, in (0, 1). */
  readonly lastStep: number;
}

/** The exact field as solvers take it. */
export function exactVelocity(field: ClosedFormField<Float32Array>): VelocityField<Float32Array> {
  return async (x, time) => (await field.evaluate(x, time)).velocity;
}

/**
 * The exact field of some data, which it owns from here on. A sample with a label follows the field of the data with that label; the null
 * class is all data. Guided, velocity = u + w (u_label - u), two evaluations, as for networks.
 *
 * Sources: [bertrand:25], proposition 1; [ho:22], eq. (6).
 */
export function closedFormFlow(field: ClosedFormField<Float32Array>, options: ClosedFormFlowOptions): FlowModel {
  const { labels: ofData, classes, batch, lastStep } = options;
  const { elements } = field;
  const restricted = new Map<number, ClosedFormField<Float32Array>>();
  const fieldFor = (label: number) => {
    const known = label === classes ? field : restricted.get(label);
    if (known !== undefined) return known;
    const chosen = field.restrictedTo(rowsWith(label, ofData));
    restricted.set(label, chosen);
    return chosen;
  };
  return {
    name: 'the exact field',
    elements,
    classes: ofData === null ? null : classes,
    batch,
    lastStep,
    velocity({ labels, guidance, signal }) {
      const everything = exactVelocity(field);
      const chosen = labels === null ? everything : velocityByLabel(labels, { fieldFor, elements });
      return async (...point) => {
        signal?.throwIfAborted();
        const own = await chosen(...point);
        if (guidance === 1) return own;
        const all = await everything(...point);
        return all.map((value, i) => value + guidance * (own[i]! - value));
      };
    },
    release: () => field.release(),
  };
}

/** Numbers of the data with a label. @throws ConfigError if there is none. */
function rowsWith(label: number, labels: Int32Array | null): Uint32Array {
  const rows = Uint32Array.from((labels ?? new Int32Array(0)).keys()).filter((row) => labels![row] === label);
  if (rows.length > 0) return rows;
  throw new ConfigError({ expected: `data with label ${label}`, got: 'none', where: 'sampling/closed-form-flow' });
}

/** Each sample's velocity by the field of its label. */
function velocityByLabel(
  labels: Int32Array,
  {
    fieldFor,
    elements,
  }: { readonly fieldFor: (label: number) => ClosedFormField<Float32Array>; readonly elements: number },
): VelocityField<Float32Array> {
  const fields = [...new Set(labels)].map((label) => ({
    field: fieldFor(label),
    rows: [...labels.keys()].filter((row) => labels[row] === label),
  }));
  return async (x, time) => {
    const velocity = new Float32Array(x.length);
    for (const { field, rows } of fields) {
      const points = new Float32Array(rows.length * elements);
      for (const [i, row] of rows.entries()) points.set(x.subarray(row * elements, (row + 1) * elements), i * elements);
      const answer = await field.evaluate(
        points,
        Float64Array.from(rows, (row) => time[row]!),
      );
      for (const [i, row] of rows.entries()) {
        velocity.set(answer.velocity.subarray(i * elements, (i + 1) * elements), row * elements);
      }
    }
    return velocity;
  };
}
