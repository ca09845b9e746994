import { foldKey } from './fold-key.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

/** Whether a value is a JSON object, neither null nor an array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The members of an object under the names a reader knows them by, as Go's decoder assigns them:
 * letter case is ignored, the last of several spellings counts, and null leaves a member as it was.
 * Members with other names follow under their own spelling.
 */
export function nameMembers(object: JsonObject, names: readonly string[]): JsonObject {
  const spelling = new Map(names.map((name) => [foldKey(name), name]));
  const known = new Map<string, JsonValue | undefined>();
  const extra = new Map<string, JsonValue | undefined>();
  for (const [key, value] of Object.entries(object)) {
    const name = spelling.get(foldKey(key));
    if (name === undefined) extra.set(key, value);
    else if (value !== null) known.set(name, value);
  }
  // fromEntries defines own members, so that "__proto__" stays one.
  return Object.fromEntries([...known, ...extra]);
}
