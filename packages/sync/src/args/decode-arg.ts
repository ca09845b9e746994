import type * as z from 'zod/mini';
import { JsonError, MalformedArgError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { isJsonObject } from '../json/member-names.ts';
import { parseExactJson } from '../json/parse.ts';
import type { SyncType } from '../sync-type.ts';

/** The JSON value in the raw argument of a message. Throws MalformedArgError. */
export function parseArg(type: SyncType, raw: string): JsonValue {
  try {
    return parseExactJson(raw);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new MalformedArgError(
      { type, path: '', expected: 'one JSON value', received: excerpt(raw) },
      { cause },
    );
  }
}

/** The members of an argument that must be an object. Throws MalformedArgError. */
export function parseObjectArg(type: SyncType, raw: string): JsonObject {
  const value = parseArg(type, raw);
  if (isJsonObject(value)) return value;
  throw new MalformedArgError({
    type,
    path: '',
    expected: 'an object',
    received: value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value,
  });
}

/**
 * Checks a decoded argument against its schema; the first thing that is wrong becomes a
 * MalformedArgError whose cause is the schema library's own error.
 */
export function checkArg<Arg>(type: SyncType, value: JsonValue, schema: z.ZodMiniType<Arg>): Arg {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = firstIssue(result.error.issues);
  throw new MalformedArgError(
    {
      type,
      path: issue.path.join('.'),
      expected: issue.expected,
      received: describe(at(value, issue.path)),
    },
    { cause: result.error },
  );
}

type Issue = z.core.$ZodIssue;

function firstIssue(issues: readonly Issue[]): { path: PropertyKey[]; expected: string } {
  const issue = issues[0];
  if (issue === undefined) return { path: [], expected: 'a valid value' };
  switch (issue.code) {
    case 'invalid_type':
      return { path: issue.path, expected: issue.expected };
    case 'invalid_value':
      return {
        path: issue.path,
        expected: issue.values.map((value) => JSON.stringify(value)).join(' or '),
      };
    case 'too_small':
      return { path: issue.path, expected: `at least ${issue.minimum}` };
    case 'too_big':
      return { path: issue.path, expected: `at most ${issue.maximum}` };
    case 'invalid_union':
      return { path: issue.path, expected: 'an unsigned 64-bit integer' };
    default:
      return { path: issue.path, expected: issue.message };
  }
}

function at(value: JsonValue, path: readonly PropertyKey[]): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Readonly<Record<PropertyKey, JsonValue | undefined>>)[key];
  }
  return found;
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? `the string ${excerpt(value)}` : String(value);
}
