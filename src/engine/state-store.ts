/**
 * State that steps replace: each tensor exists twice, and a group of tensors has one parity that says which copy is current. A
 * step reads current copies and writes the others, since an output must not share memory with an input. Groups that are proven to be
 * read before they are written may exist once.
 */
import { ShapeError } from '../errors.ts';
import type { DeviceTensor, Runtime, TensorSpec } from './runtime.ts';

/** Specs of the state by group; a name appears in one group only. */
export type StateGroups = Readonly<Record<string, readonly TensorSpec[]>>;

export interface StateStore {
  readonly specs: ReadonlyMap<string, TensorSpec>;
  /** The group of each state tensor. */
  readonly groupOf: ReadonlyMap<string, string>;
  readonly groups: StateGroups;
  /** The copy that holds the state. */
  current(name: string): DeviceTensor;
  /** The copy that the next step writes: the other one, or the same of a group that exists once. */
  next(name: string): DeviceTensor;
  parity(group: string): 0 | 1;
  /** Makes the next copies of these groups current. */
  flip(groups: Iterable<string>): void;
  release(): void;
}

/**
 * Zero-filled state.
 * @param doubled  groups that exist twice.
 * @throws ShapeError if a name appears twice.
 */
export function createStateStore(runtime: Runtime, groups: StateGroups, doubled: ReadonlySet<string>): StateStore {
  const specs = new Map<string, TensorSpec>();
  const groupOf = new Map<string, string>();
  const copies = new Map<string, readonly DeviceTensor[]>();
  const parities = new Map<string, 0 | 1>();
  for (const [group, members] of Object.entries(groups)) {
    for (const spec of members) {
      if (specs.has(spec.name)) {
        throw new ShapeError({
          expected: `state \`${spec.name}\` to appear once`,
          got: `it in groups \`${groupOf.get(spec.name)}\` and \`${group}\``,
          where: 'engine/createStepper',
        });
      }
      specs.set(spec.name, spec);
      groupOf.set(spec.name, group);
    }
  }
  for (const [name, spec] of specs) {
    const count = doubled.has(groupOf.get(name)!) ? 2 : 1;
    copies.set(
      name,
      Array.from({ length: count }, () => runtime.allocate(spec)),
    );
  }
  const parity = (group: string) => parities.get(group) ?? 0;
  const other = (group: string) => (parity(group) === 0 ? 1 : 0);
  return {
    specs,
    groupOf,
    groups,
    current: (name) => copies.get(name)![parity(groupOf.get(name)!)]!,
    next(name) {
      const group = groupOf.get(name)!;
      return copies.get(name)![doubled.has(group) ? other(group) : 0]!;
    },
    parity,
    flip(flipped) {
      for (const group of flipped) if (doubled.has(group)) parities.set(group, other(group));
    },
    release() {
      for (const tensor of [...copies.values()].flat()) tensor.release();
    },
  };
}
