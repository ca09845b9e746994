import type { JsonValue } from '../json/json-value.ts';
import { isJsonObject, nameMembers } from '../json/member-names.ts';
import type { GoType } from './go-type.ts';

/**
 * A JSON value as Go's decoder would assign it to a type: keys in the letter case of the type, null
 * as if absent, unknown members left out. What does not fit the type stays for the schema to refuse.
 */
export function readGo(value: JsonValue, type: GoType): JsonValue {
  switch (type.kind) {
    case 'pointer':
      return readGo(value, type.to);
    case 'list':
      if (!Array.isArray(value)) return value;
      return (value as readonly JsonValue[]).map((item) => readElement(item, type.item));
    case 'map':
      if (!isJsonObject(value)) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, readElement(item ?? null, type.value)]),
      );
    case 'struct': {
      if (!isJsonObject(value)) return value;
      const named = nameMembers(
        value,
        type.fields.map(({ key }) => key),
      );
      const members = type.fields.flatMap(({ key, type: of }) => {
        const member = Object.hasOwn(named, key) ? named[key] : undefined;
        return member === undefined ? [] : [[key, readGo(member, of)] as const];
      });
      return Object.fromEntries(members);
    }
    default:
      return value;
  }
}

/** null in a list or a map is the zero value of its element. */
function readElement(value: JsonValue, type: GoType): JsonValue {
  return value === null ? zeroOf(type) : readGo(value, type);
}

function zeroOf(type: GoType): JsonValue {
  switch (type.kind) {
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'integer':
      return 0;
    case 'list':
      return [];
    case 'map':
    case 'struct':
      return {};
    case 'pointer':
      return zeroOf(type.to);
  }
}
