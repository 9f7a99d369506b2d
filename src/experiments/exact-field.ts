/** The exact field of a data set, as analyses and samplers open it. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { hostClosedForm } from '../closed-form/host-closed-form.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import type { KeptRows } from '../numerics/kept-rows.ts';

/** float32 through the runtime's matrix products, or float64 on the host: slower by orders of magnitude. */
export type FieldPrecision = 'float32' | 'float64';

/** All that training may see of a set: its data, and behind them the mirrored ones where it mirrors. */
export function rowsOf({ count, elements, mirrored, read }: CouplingData): KeptRows {
  return {
    count: mirrored ? 2 * count : count,
    elements,
    read(first, rows) {
      const numbers = Uint32Array.from({ length: rows }, (_, i) => first + i);
      return read(
        numbers.map((number) => number % count),
        Uint8Array.from(numbers, (number) => (number < count ? 0 : 1)),
      );
    },
  };
}

/** A float64 field for states in float32. */
export function roundedField(field: ClosedFormField<Float64Array>): ClosedFormField<Float32Array> {
  return {
    count: field.count,
    elements: field.elements,
    async evaluate(x, time) {
      const answer = await field.evaluate(Float64Array.from(x), time);
      return { ...answer, velocity: Float32Array.from(answer.velocity) };
    },
    restrictedTo: (rows) => roundedField(field.restrictedTo(rows)),
    release: () => field.release(),
  };
}

/** Opens the field of some rows. */
export function openExactField(rows: KeptRows): Promise<ClosedFormField<Float32Array>> {
  return Promise.resolve(roundedField(hostClosedForm(rows)));
}
