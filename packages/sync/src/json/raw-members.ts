import { broken, endOfString, endOfValue, skipWhitespace } from './scan.ts';

/** One member of an object: its key decoded, its value as the text that stood there. */
export type RawMember = { readonly key: string; readonly raw: string };

/**
 * Splits the text of one JSON object into its members, in order, with repeated keys kept.
 * The values are slices of the text: nothing is decoded, so nothing can be rounded.
 * Throws JsonError when the text is not one object, or when something follows it.
 */
export function rawMembers(text: string): RawMember[] {
  const members: RawMember[] = [];
  let at = skipWhitespace(text, 0);
  if (text[at] !== '{') throw broken(text, at, 'an object');
  at = skipWhitespace(text, at + 1);
  if (text[at] === '}') {
    requireEnd(text, at + 1);
    return members;
  }
  for (;;) {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    at = skipWhitespace(text, keyEnd);
    if (text[at] !== ':') throw broken(text, at, '":"');
    at = skipWhitespace(text, at + 1);
    const valueEnd = endOfValue(text, at);
    members.push({ key, raw: text.slice(at, valueEnd) });
    at = skipWhitespace(text, valueEnd);
    if (text[at] === '}') {
      requireEnd(text, at + 1);
      return members;
    }
    if (text[at] !== ',') throw broken(text, at, '"," or "}"');
    at = skipWhitespace(text, at + 1);
  }
}

/** Throws JsonError unless only whitespace stands at and behind `at`. */
export function requireEnd(text: string, at: number): void {
  const end = skipWhitespace(text, at);
  if (end !== text.length) throw broken(text, end, 'the end of the text');
}
