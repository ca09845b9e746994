import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Hierarchy } from '../../cgroup/hierarchies.ts';
import { UnsupportedConfigError } from '../../errors.ts';
import { planLaunch } from '../../plan/plan-launch.ts';
import { validateSpec } from '../load-bundle.ts';
import type { OciSpec } from '../oci-spec.ts';
import { ociSpecSchema } from '../oci-spec-schema.ts';
import { unsupportedFields } from '../refuse-unsupported.ts';
import { stockSpec } from '../stock-spec.ts';
import { everyField } from './every-field.ts';
import { isCovered, schemaFields } from './schema-fields.ts';
import type { SpecField } from './spec-field.ts';
import { specFields } from './spec-fields.ts';

const fields = specFields();
const inPackage = (path: string): string => join(import.meta.dirname, '../../..', path);
const inRepository = (path: string): string => join(import.meta.dirname, '../../../../..', path);
const nameOf = ({ field, value }: SpecField): string =>
  value === undefined ? field : `${field}=${value}`;
const withStatus = <Status extends SpecField['status']>(
  status: Status,
): [name: string, row: Extract<SpecField, { status: Status }>][] =>
  fields
    .filter((row): row is Extract<SpecField, { status: Status }> => row.status === status)
    .map((row) => [nameOf(row), row]);

describe('specFields', () => {
  it('specFields names each field once', () => {
    const names = fields.map(nameOf);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('specFields has every property that the schema looks at', () => {
    const known = schemaFields(ociSpecSchema);
    // A walk that finds nothing would agree with every table.
    expect(known.length).toBeGreaterThan(40);
    // What a loose object may hold besides has no name.
    const named = known.filter((one) => one.known === undefined);
    const unnamed = named.filter((one) => !fields.some(({ field }) => isCovered(field, one)));
    expect(unnamed).toEqual([]);
  });

  it('specFields has no honoured or refused field that the schema would drop', () => {
    const known = schemaFields(ociSpecSchema);
    const dropped = fields.filter(
      ({ field, status }) => status !== 'ignored' && !known.some((one) => isCovered(field, one)),
    );
    expect(dropped.map(nameOf)).toEqual([]);
  });

  it('specFields has no honoured field whose value the schema does not look at', () => {
    const checked = schemaFields(ociSpecSchema).filter(({ opaque }) => !opaque);
    const unchecked = withStatus('honoured').filter(
      ([, { field }]) => !checked.some((one) => isCovered(field, one)),
    );
    expect(unchecked.map(([name]) => name)).toEqual([]);
  });

  it.each(withStatus('honoured'))('specFields names code and test of %s', (_, row) => {
    const named = [inPackage(row.code), inRepository(row.test)];
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
    const name = row.value ?? row.field.replaceAll('[]', '').split('.').at(-1) ?? '';
    expect(readFileSync(inRepository(row.test), 'utf8')).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('specFields gives a reason for what is refused or ignored', () => {
    const silent = [...withStatus('refused'), ...withStatus('ignored')].filter(
      ([, { reason }]) => reason.trim() === '',
    );
    expect(silent).toEqual([]);
  });
});

describe('everyField', () => {
  it.each(fields.map((row): [string, SpecField] => [nameOf(row), row]))(
    'everyField sets %s',
    (_, { field }) => {
      expect(get(everyField(), segmentsOf(field))).toBeDefined();
    },
  );
});

describe('refuseUnsupported and the table', () => {
  it.each(withStatus('refused'))('refuseUnsupported refuses %s', (_, row) => {
    // By its own name, or by the name of what holds it.
    const refusals = refusalsOf(specWith(row)).map((name) => name.replaceAll(/\[\d+\]/g, '[]'));
    expect(refusals.filter((name) => row.field.startsWith(name))).not.toEqual([]);
  });

  it.each([...withStatus('honoured'), ...withStatus('ignored')])(
    'refuseUnsupported lets %s through',
    (_, row) => {
      expect(unsupportedFields(specWith(row))).toEqual([]);
    },
  );
});

const hierarchy: Hierarchy = {
  version: 2,
  controllers: '',
  mountpoint: '/sys/fs/cgroup',
  root: '/',
  ownPath: '/',
};

/** Names of what a launch refuses, at whatever stage of the planning. */
function refusalsOf(spec: OciSpec): string[] {
  const early = unsupportedFields(spec).map(({ field }) => field);
  if (early.length > 0) return early;
  try {
    planLaunch({ id: 'demo', spec, bundle: '/', hierarchies: [hierarchy] });
  } catch (error) {
    if (error instanceof UnsupportedConfigError) return [error.field, ...error.others];
    throw error;
  }
  return [];
}

/** The stock specification with this one field, and as much of what surrounds it as the schema wants. */
function specWith(row: SpecField): OciSpec {
  const path = segmentsOf(row.field);
  const value = row.value ?? get(everyField(), path);
  const alone = copyOf(stockSpec());
  set(alone, path, value);
  if (ociSpecSchema.safeParse(alone).success) return validateSpec(alone);

  // The object of the specification that holds it, without the other fields that are refused.
  const around = path.slice(0, path[1] === 'resources' ? 3 : 2).filter((name) => name !== '[]');
  const neighbours = copyOf(get(everyField(), around));
  const whole = copyOf(stockSpec());
  set(whole, around, neighbours);
  set(whole, path, value);
  const pruned = copyOf(whole);
  for (const other of fields) {
    const isNeighbour = other.field.startsWith(around.join('.')) && other.field !== row.field;
    if (isNeighbour && other.status === 'refused') remove(pruned, segmentsOf(other.field));
  }
  return validateSpec(ociSpecSchema.safeParse(pruned).success ? pruned : whole);
}

/** `a.b[].*.c` → a, b, [], *, c */
const segmentsOf = (field: string): string[] => field.replaceAll('[]', '.[]').split('.');

const copyOf = <Value>(value: Value): Value => structuredClone(value);

type Tree = Record<string, unknown>;

const keyOf = (tree: Tree, segment: string): string => {
  if (segment === '[]') return '0';
  return segment === '*' ? (Object.keys(tree)[0] ?? 'name') : segment;
};

function get(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (node, segment) => (node === undefined ? node : (node as Tree)[keyOf(node as Tree, segment)]),
    tree,
  );
}

/** Sets a value, with whatever is missing on the way to it; an array on the way is replaced by one of one element. */
function set(tree: unknown, path: readonly string[], value: unknown): void {
  let node = tree as Tree;
  for (const [position, segment] of path.slice(0, -1).entries()) {
    const key = keyOf(node, segment);
    const isArray = path[position + 1] === '[]';
    const holdsOne = Array.isArray(node[key]) && node[key].length === 1;
    if (isArray ? !holdsOne : typeof node[key] !== 'object') node[key] = isArray ? [] : {};
    node = node[key] as Tree;
  }
  node[keyOf(node, path.at(-1) ?? '')] = value;
}

/** Removes a value, and what is empty without it. */
function remove(tree: unknown, path: readonly string[]): void {
  const around = path.slice(0, -1);
  const holder = get(tree, around) as Tree | undefined;
  if (holder === undefined) return;
  const key = keyOf(holder, path.at(-1) ?? '');
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
  if (Object.keys(holder).length === 0 && around.length > 0) remove(tree, around);
}
