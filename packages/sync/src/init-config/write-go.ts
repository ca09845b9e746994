import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { isJsonObject } from '../json/member-names.ts';
import type { GoField, GoStruct, GoType } from './go-type.ts';

/** Called for a member that the type does not have. */
export type OnUnknownMember = (path: string) => never;

/**
 * The JSON value that Go's encoder writes for a value of a type, complete: every field in its
 * order, zero values and null where the value has nothing, the keys of maps sorted by their bytes.
 * The value must already satisfy the schema of the type.
 */
export function writeGo(value: unknown, type: GoType, onUnknown: OnUnknownMember): JsonValue {
  return write(value as JsonValue | undefined, type, { path: '', onUnknown });
}

type Place = { readonly path: string; readonly onUnknown: OnUnknownMember };

function write(value: JsonValue | undefined, type: GoType, place: Place): JsonValue {
  switch (type.kind) {
    case 'string':
      return value ?? '';
    case 'bool':
      return value ?? false;
    case 'integer':
      return value ?? 0;
    case 'pointer':
      return value === undefined ? null : write(value, type.to, place);
    case 'list':
      if (value === undefined) return null;
      return (value as readonly JsonValue[]).map((item, index) =>
        write(item, type.item, below(place, String(index))),
      );
    case 'map':
      return value === undefined ? null : writeMap(value as JsonObject, type.value, place);
    case 'struct':
      return writeStruct(value as JsonObject | undefined, type, place);
  }
}

function writeMap(value: JsonObject, type: GoType, place: Place): JsonObject {
  const keys = Object.keys(value).toSorted(compareBytes);
  return Object.fromEntries(keys.map((key) => [key, write(value[key], type, below(place, key))]));
}

function writeStruct(value: JsonObject = {}, { fields }: GoStruct, place: Place): JsonObject {
  const known = new Set(fields.map(({ key }) => key));
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined && !known.has(key)) place.onUnknown(below(place, key).path);
  }
  const members = fields.flatMap((field) => {
    const member = Object.hasOwn(value, field.key) ? value[field.key] : undefined;
    if (field.omitEmpty && isEmpty(member, field)) return [];
    return [[field.key, write(member, field.type, below(place, field.key))] as const];
  });
  return Object.fromEntries(members);
}

function isEmpty(value: JsonValue | undefined, { type }: GoField): boolean {
  if (value === undefined) return true;
  // A pointer to zero is not empty.
  if (type.kind === 'pointer') return false;
  if (Array.isArray(value)) return value.length === 0;
  if (isJsonObject(value)) return Object.values(value).every((member) => member === undefined);
  return value === '' || value === false || value === 0 || value === 0n;
}

function below({ path, onUnknown }: Place, key: string): Place {
  return { path: path === '' ? key : `${path}.${key}`, onUnknown };
}

/** Go sorts the keys of a map by their UTF-8 bytes, which is the order of their code points. */
function compareBytes(one: string, other: string): number {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(one), encoder.encode(other)];
  for (const [index, byte] of left.entries()) {
    const against = right[index];
    if (against === undefined) return 1;
    if (byte !== against) return byte - against;
  }
  return left.length - right.length;
}
