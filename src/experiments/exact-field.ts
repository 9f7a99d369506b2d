/** The exact field of a data set, as analyses and samplers open it. */
import type { ClosedFormField } from '../closed-form/closed-form-field.ts';
import { engineClosedForm } from '../closed-form/engine-closed-form.ts';
import { hostClosedForm } from '../closed-form/host-closed-form.ts';
import type { CouplingData } from '../coupling/whole-cost.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { RuntimeOptions } from '../engine/runtime.ts';
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

/** How a field is computed. */
export interface ExactFieldOptions {
  /** Default float32. */
  readonly precision?: FieldPrecision;
  /** Of the runtime that the field has for itself; default: the CPU, threads left to it. */
  readonly runtime?: RuntimeOptions;
}

/** Opens the field of some rows. float32 keeps them in memory. @throws RuntimeError if the runtime cannot be had. */
export async function openExactField(
  rows: KeptRows,
  { precision = 'float32', runtime = {} }: ExactFieldOptions = {},
): Promise<ClosedFormField<Float32Array>> {
  if (precision === 'float64') return roundedField(hostClosedForm(rows));
  return engineClosedForm(await openNativeRuntime(runtime), rows);
}
