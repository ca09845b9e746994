import { JsonError } from '../errors.ts';
import { maxJsonDepth, type JsonValue } from './json-value.ts';

/**
 * Writes a value as compact JSON, with the same escapes as Go's encoding/json.
 *
 * `<`, `>`, `&`, U+2028 and U+2029 become `\u` escapes, a lone surrogate becomes `\ufffd`, other
 * text stays as it is. A `bigint` is written in full. Members keep their order (Go sorts the keys
 * of maps, not of structs); those that are `undefined` are left out.
 * Throws JsonError for what JSON cannot hold: non-finite numbers, `undefined` inside an array,
 * functions, symbols, objects with a class, and nesting beyond `maxJsonDepth` (so also cycles).
 */
export function stringifyExactJson(value: JsonValue): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      if (!Number.isFinite(value)) throw unwritable(`the number ${value}`);
      return Object.is(value, -0) ? '-0' : String(value);
    case 'object':
      break;
    default:
      throw unwritable(typeof value);
  }
  if (value === null) return 'null';
  if (depth === maxJsonDepth) throw unwritable(`nesting beyond ${maxJsonDepth} levels`);
  if (Array.isArray(value)) {
    // Array.from also visits holes, which `map` would pass over in silence.
    return `[${Array.from(value, (item) => write(item, depth + 1)).join(',')}]`;
  }
  if (!isPlainObject(value)) throw unwritable('an object with a class');
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${quote(key)}:${write(member, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function quote(text: string): string {
  // Escapes already written are matched as units, so that a doubled backslash hides what follows it.
  return JSON.stringify(text).replace(
    /\\u([\da-f]{4})|\\.|[<>&\u2028\u2029]/g,
    (match, hex: string | undefined) => {
      if (hex !== undefined) return hex >= 'd800' && hex <= 'dfff' ? '\\ufffd' : match;
      if (match.length > 1) return match;
      return `\\u${match.charCodeAt(0).toString(16).padStart(4, '0')}`;
    },
  );
}

function isPlainObject(value: object): boolean {
  // A plain object of another realm has a prototype of its own, whose prototype is null too.
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function unwritable(what: string): JsonError {
  return new JsonError(
    `write JSON: ${what} has no JSON form`,
    'Give plain objects, arrays, strings, booleans, null, finite numbers and bigints.',
  );
}
