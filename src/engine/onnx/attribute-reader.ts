/** Attributes of a node, read by name and kind. What nobody read is an attribute that the importer does not know. */
import type { AttributeKind, FileAttribute, FileGraph, FileTensor } from './model-record.ts';

/** Refuses a node: throws an error that names it. */
export type Refuse = (expected: string, got: string) => never;

/** Reads attributes; each method returns the default where the node lacks the attribute. */
export interface AttributeReader {
  has(name: string): boolean;
  int(name: string, absent: number): number;
  flag(name: string, absent: boolean): boolean;
  ints(name: string): readonly number[] | null;
  float(name: string, absent: number): number;
  floats(name: string): readonly number[] | null;
  /** One of the texts listed, the first of which is the default. */
  choice<T extends string>(name: string, allowed: readonly [T, ...T[]]): T;
  text(name: string, absent: string): string;
  tensor(name: string): FileTensor | null;
  graph(name: string): FileGraph | null;
  /** Marks attributes as read that change nothing here. */
  ignore(...names: readonly string[]): void;
  /** Names that were not read. */
  unread(): string[];
}

/** An int64 as a number; beyond 2^53 it saturates. */
function asNumber(value: bigint): number {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > most ? most : value < -most ? -most : value);
}

export function attributeReader(attributes: readonly FileAttribute[], refuse: Refuse): AttributeReader {
  const left = new Map<string, FileAttribute>();
  for (const attribute of attributes) {
    if (left.has(attribute.name)) refuse('each attribute once', `\`${attribute.name}\` twice`);
    left.set(attribute.name, attribute);
  }
  const take = (name: string, kind: AttributeKind): FileAttribute | null => {
    const found = left.get(name);
    if (found === undefined) return null;
    if (found.kind !== kind) refuse(`attribute \`${name}\` to be of kind ${kind}`, found.kind);
    left.delete(name);
    return found;
  };
  const text = (name: string, absent: string) => {
    const found = take(name, 'string');
    return found === null ? absent : new TextDecoder().decode(found.string.subarray(0, 200));
  };
  return {
    has: (name) => left.has(name),
    int: (name, absent) => {
      const found = take(name, 'int');
      return found === null ? absent : asNumber(found.int);
    },
    flag: (name, absent) => {
      const found = take(name, 'int');
      return found === null ? absent : found.int !== 0n;
    },
    ints: (name) => take(name, 'ints')?.ints.map(asNumber) ?? null,
    float: (name, absent) => take(name, 'float')?.float ?? absent,
    floats: (name) => take(name, 'floats')?.floats ?? null,
    text,
    choice(name, allowed) {
      const value = text(name, allowed[0]);
      return allowed.find((one) => one === value) ?? refuse(`\`${name}\` among ${allowed.join(', ')}`, value);
    },
    tensor: (name) => take(name, 'tensor')?.tensor ?? null,
    graph: (name) => take(name, 'graph')?.graph ?? null,
    ignore(...names) {
      for (const name of names) left.delete(name);
    },
    unread: () => [...left.keys()],
  };
}
