import { type JsonValue, stringifyExactJson } from '@pilotlight/sync';

/** JSON as Go's encoder writes it: one line, `<`, `>`, `&` and two separators escaped, a newline at the end; encoding/json. */
export function stringifyGoJson(value: JsonValue): string {
  const text = stringifyExactJson(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text}\n`;
}
