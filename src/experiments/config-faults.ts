/** Faults of a config as sentences: the path, what is allowed there, what was found, and what may have been meant. */
import type { z } from 'zod';
import { nearestName } from './nearest-name.ts';

/** The parts of JSON Schema that `z.toJSONSchema` writes for configs. */
interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode | false;
  readonly prefixItems?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly pattern?: string;
}

type Path = readonly PropertyKey[];

/**
 * Sentences for zod's issues, in their order.
 * @param value   the config as it was given.
 * @param schema  JSON Schema of a config.
 */
export function describeIssues(issues: readonly z.core.$ZodIssue[], value: unknown, schema: object): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      const known = nodesAt(schema, issue.path, value).flatMap((node) => Object.keys(node.properties ?? {}));
      return issue.keys.map((key) => unknownKey([...issue.path, key], key, [...new Set(known)]));
    }
    const given = valueAt(value, issue.path);
    const nodes = nodesAt(schema, issue.path, value);
    const options = allowedValues(nodes);
    const meant = typeof given === 'string' ? nearestName(given, options.map(String)) : null;
    const remedy = meant === null ? '' : ` Did you mean ${meant}?`;
    return [`Expected ${pathName(issue.path)} to be ${describeNodes(nodes)}; got ${describeValue(given)}.${remedy}`];
  });
}

function unknownKey(path: Path, key: string, known: readonly string[]): string {
  const meant = nearestName(key, known);
  const remedy = meant === null ? `Known there: ${known.join(', ')}.` : `Did you mean \`${meant}\`?`;
  return `Expected only known keys; got ${pathName(path)}. ${remedy}`;
}

/** A path as people write it: training.optimizer.betas[1]. */
function pathName(path: Path): string {
  const name = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return name === '' ? 'the config' : `\`${name.slice(1)}\``;
}

function isRecord(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === 'object' && value !== null;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), value);
}

/** The schemas that a value at a path may meet; of alternatives told apart by `kind`, the one that the value names. */
function nodesAt(schema: SchemaNode, path: Path, value: unknown): SchemaNode[] {
  let nodes = [schema];
  for (const [depth, key] of path.entries()) {
    const parent = valueAt(value, path.slice(0, depth));
    nodes = alternatives(nodes, parent).flatMap((node) => childrenOf(node, key));
  }
  return alternatives(nodes, valueAt(value, path));
}

function childrenOf(node: SchemaNode, key: PropertyKey): SchemaNode[] {
  if (typeof key === 'number') return [node.prefixItems?.[key] ?? node.items].filter((item) => isRecord(item));
  const child = node.properties?.[String(key)];
  return child === undefined ? [] : [child];
}

function alternatives(nodes: readonly SchemaNode[], value: unknown): SchemaNode[] {
  const flat = nodes.flatMap(function expand(node): SchemaNode[] {
    const choices = node.oneOf ?? node.anyOf;
    return choices === undefined ? [node] : choices.flatMap(expand);
  });
  const kind = isRecord(value) ? value.kind : undefined;
  const named = flat.filter((node) => node.properties?.kind?.const === kind);
  return kind === undefined || named.length === 0 ? flat : named;
}

function allowedValues(nodes: readonly SchemaNode[]): unknown[] {
  return nodes.flatMap((node) => ('const' in node ? [node.const] : [...(node.enum ?? [])]));
}

function describeNodes(nodes: readonly SchemaNode[]): string {
  const values = allowedValues(nodes);
  const others = nodes.filter((node) => !('const' in node || node.enum !== undefined)).map(describeNode);
  const choice = values.length === 0 ? [] : [values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`];
  return [...new Set([...choice, ...others])].join(' or ') || 'absent';
}

const typeNames: Readonly<Record<string, string>> = {
  object: 'a section',
  array: 'a list',
  string: 'a text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
};

function describeNode(node: SchemaNode): string {
  const types = typeof node.type === 'string' ? [node.type] : (node.type ?? []);
  const names = types.map((type) => (type === 'null' ? 'null' : (typeNames[type] ?? type) + describeLimits(node)));
  return names.join(' or ');
}

function describeLimits(node: SchemaNode): string {
  const limits = [
    node.minimum !== undefined && Math.abs(node.minimum) < Number.MAX_SAFE_INTEGER ? `of at least ${node.minimum}` : '',
    node.exclusiveMinimum === undefined ? '' : `above ${node.exclusiveMinimum}`,
    node.maximum !== undefined && node.maximum < Number.MAX_SAFE_INTEGER ? `of at most ${node.maximum}` : '',
    node.exclusiveMaximum === undefined ? '' : `below ${node.exclusiveMaximum}`,
    node.multipleOf === undefined ? '' : `a multiple of ${node.multipleOf}`,
    node.prefixItems === undefined ? '' : `of ${node.prefixItems.length}`,
    node.prefixItems === undefined && node.minItems !== undefined ? `of at least ${node.minItems}` : '',
    node.minLength === undefined ? '' : 'that is not empty',
    node.pattern === undefined ? '' : `that matches ${node.pattern}`,
  ].filter((limit) => limit !== '');
  return limits.length === 0 ? '' : ` ${limits.join(' and ')}`;
}

function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
