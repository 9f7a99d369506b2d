/** The cells of semi-discrete transport: which datum each noise is sent to, for all data together or for each label's by themselves. */
import { CheckpointError } from '../errors.ts';
import type { ArgmaxProducts, OpenArgmaxProducts } from '../numerics/argmax-products.ts';
import { normalsFromSeeds } from '../numerics/normal.ts';
import { permutation } from '../numerics/permutation.ts';
import { stream } from '../numerics/stream.ts';
import type { NamedArrays } from './coupling.ts';
import {
  type AscentOptions,
  ascentNumbers,
  type PotentialAscent,
  potentialAscent,
  startPotentials,
} from './potential-ascent.ts';
import type { CouplingData } from './whole-cost.ts';

/** Data that the centre is taken over, and noises that starts are compared on: enough for a start. */
const centreData = 2048;
const startNoises = 256;

export interface CellParts {
  readonly data: CouplingData;
  readonly openProducts: OpenArgmaxProducts;
  /** Seed of the run. */
  readonly seed: number;
  readonly ascent: AscentOptions;
}

/** Images among which noises are shared evenly: numbers of data, those of mirrored ones behind by the number of data. */
export type Members = Uint32Array;

/** The cells of some images. */
export interface Cells {
  readonly members: Members;
  readonly ascent: PotentialAscent;
  /** One change of the potentials by the noises of `seeds` and their negatives. */
  improve(seeds: Uint32Array): Promise<void>;
  /** Image of each noise by the averaged potentials. @param noise float32 [rows, elements]. @returns uint32 [rows]. */
  assign(noise: Float32Array): Promise<Uint32Array>;
}

/** Data and whether mirrored, of images. */
export function dataOf(images: Uint32Array, count: number) {
  return {
    rows: images.map((image) => image % count),
    flipped: Uint8Array.from(images, (image) => Math.floor(image / count)),
  };
}

/** All images as one group, or those of each label as a group of their own, labels in ascending order. */
export function groupImages({ count, labels, mirrored }: CouplingData, perClass: boolean): Members[] {
  const images = Uint32Array.from({ length: count * (mirrored ? 2 : 1) }, (_, image) => image);
  if (!perClass) return [images];
  const distinct = [...new Set(labels)].sort((a, b) => a - b);
  return distinct.map((label) => images.filter((image) => labels[image % count] === label));
}

async function centreOf(members: Members, { data, seed }: Omit<CellParts, 'ascent'>): Promise<Float64Array> {
  const { count, elements, read } = data;
  const sample = permutation(members.length, stream(seed, 'semidiscrete-centre')).subarray(0, centreData).sort();
  const { rows, flipped } = dataOf(
    sample.map((place) => members[place]!),
    count,
  );
  const values = await read(rows, flipped);
  const centre = new Float64Array(elements);
  for (let i = 0; i < values.length; i++) centre[i % elements]! += values[i]! / rows.length;
  return centre;
}

/** Images whose products can be asked for, and what their norms say. */
export interface KeptImages {
  readonly products: ArgmaxProducts;
  /** Squares of the distances from about the images' centre: float64 [images]. */
  readonly squares: Float64Array;
  /** Mean of |x|^2. */
  readonly meanSquare: number;
}

/** Keeps the latents of images for products. */
export async function keepImages(members: Members, parts: Omit<CellParts, 'ascent'>): Promise<KeptImages> {
  const { data, openProducts } = parts;
  const { count, elements, read } = data;
  const centre = await centreOf(members, parts);
  const squares = new Float64Array(members.length);
  let whole = 0;
  const products = await openProducts({
    count: members.length,
    elements,
    async read(first, length) {
      const { rows, flipped } = dataOf(members.subarray(first, first + length), count);
      const values = await read(rows, flipped);
      for (let i = 0; i < values.length; i++) {
        whole += values[i]! ** 2;
        squares[first + Math.floor(i / elements)]! += (values[i]! - centre[i % elements]!) ** 2;
      }
      return values;
    },
  });
  return { products, squares, meanSquare: whole / members.length };
}

/** An ascent from a start that suits the images. */
export async function openAscent(
  { products, squares }: KeptImages,
  { elements, seed, ascent }: { readonly elements: number; readonly seed: number; readonly ascent: AscentOptions },
): Promise<PotentialAscent> {
  const words = stream(seed, 'semidiscrete-start');
  const noise = normalsFromSeeds(
    Uint32Array.from({ length: startNoises }, () => words.uint32()),
    elements,
  );
  return potentialAscent(await startPotentials(squares, products, { noise, elements }), ascent);
}

async function openGroup(members: Members, parts: CellParts): Promise<Cells> {
  const { elements } = parts.data;
  const kept = await keepImages(members, parts);
  return cellsOver(members, {
    products: kept.products,
    ascent: await openAscent(kept, { ...parts, elements }),
    elements,
  });
}

function cellsOver(
  members: Members,
  {
    products,
    ascent,
    elements,
  }: { readonly products: ArgmaxProducts; readonly ascent: PotentialAscent; readonly elements: number },
): Cells {
  /** Noises that the averaged potentials in use have seen; `null` where others are in use. */
  let settled: number | null = null;
  return {
    members,
    ascent,
    async improve(seeds) {
      settled = null;
      products.setOffsets(ascent.current);
      ascent.step(await products.argmax(normalsFromSeeds(seeds, elements), { antithetic: true }));
    },
    async assign(noise) {
      if (settled !== ascent.noises) products.setOffsets(ascent.averaged);
      settled = ascent.noises;
      const { rows } = await products.argmax(noise);
      return Uint32Array.from(rows, (row) => members[row]!);
    },
  };
}

/** Cells of every group of images, with a state that is there before the data are read. */
export interface CellGroups {
  readonly groups: readonly Members[];
  /** Noises that a group has seen. */
  noises(group: number): number;
  /** Reads the data, once. */
  open(): Promise<readonly Cells[]>;
  state(): NamedArrays;
  /** @throws CheckpointError if the state is not that of these groups. */
  restore(state: NamedArrays): void;
}

interface CellState {
  /** Potentials of all groups, one behind the other: float64 [images]. */
  readonly potentials: Float64Array;
  readonly averaged: Float64Array;
  /** Numbers of each group's ascent: float64 [groups * 3]. */
  readonly progress: Float64Array;
}

/** Cells that are made when they are first needed. */
export function cellGroups(groups: readonly Members[], parts: CellParts): CellGroups {
  const images = groups.reduce((sum, { length }) => sum + length, 0);
  const starts = groups.map((_, group) => groups.slice(0, group).reduce((sum, { length }) => sum + length, 0));
  let kept: CellState = {
    potentials: new Float64Array(images),
    averaged: new Float64Array(images),
    progress: new Float64Array(groups.length * ascentNumbers),
  };
  let opening: Promise<readonly Cells[]> | null = null;
  let opened: readonly Cells[] | null = null;
  const takeUp = (cells: Cells, group: number) => {
    const numbers = kept.progress.subarray(group * ascentNumbers, (group + 1) * ascentNumbers);
    // A group without noises starts from its data alone.
    if (numbers[0] === 0) return;
    const [start, end] = [starts[group]!, starts[group]! + cells.members.length];
    cells.ascent.restore({
      current: kept.potentials.subarray(start, end),
      averaged: kept.averaged.subarray(start, end),
      numbers,
    });
  };
  const openAll = async () => {
    const cells: Cells[] = [];
    for (const [group, members] of groups.entries()) {
      cells.push(await openGroup(members, parts));
      takeUp(cells[group]!, group);
    }
    opened = cells;
    return cells;
  };
  return {
    groups,
    noises: (group) => opened?.[group]?.ascent.noises ?? kept.progress[group * ascentNumbers]!,
    open: () => {
      opening ??= openAll();
      return opening;
    },
    state() {
      if (opened === null) return { ...kept };
      const state = {
        ...kept,
        potentials: kept.potentials.slice(),
        averaged: kept.averaged.slice(),
        progress: kept.progress.slice(),
      };
      for (const [group, { ascent }] of opened.entries()) {
        if (ascent.noises === 0) continue;
        state.potentials.set(ascent.current, starts[group]!);
        state.averaged.set(ascent.averaged, starts[group]!);
        state.progress.set(ascent.numbers, group * ascentNumbers);
      }
      return state;
    },
    restore(state) {
      kept = checkedState(state, kept);
      // Read again, as a group that has seen noises may now have seen none.
      opening = null;
      opened = null;
    },
  };
}

function checkedState(state: NamedArrays, like: CellState): CellState {
  const fault = (expected: string, got: string) =>
    new CheckpointError({ expected, got, where: 'coupling/semidiscrete', remedy: "the run's own config and data" });
  const { potentials, averaged, progress, ...others } = state;
  const names = Object.keys(like).join(', ');
  if (!(potentials instanceof Float64Array && averaged instanceof Float64Array && progress instanceof Float64Array)) {
    throw fault(`float64 ${names}`, Object.keys(state).join(', ') || 'nothing');
  }
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw fault(`${names} alone`, `also \`${stranger}\``);
  const checked = { potentials, averaged, progress };
  for (const name of ['potentials', 'averaged', 'progress'] as const) {
    if (checked[name].length !== like[name].length)
      throw fault(`${like[name].length} numbers of ${name}`, String(checked[name].length));
    if (!checked[name].every(Number.isFinite)) throw fault(`finite numbers of ${name}`, 'others');
  }
  return { potentials: potentials.slice(), averaged: averaged.slice(), progress: progress.slice() };
}
