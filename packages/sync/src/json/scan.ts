import { JsonError } from '../errors.ts';
import { maxJsonDepth } from './json-value.ts';

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const escape = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/**
 * The offset just behind the JSON value that begins at `start`; checks its grammar (RFC 8259).
 * It keeps its own stack, so that no depth of input can exhaust the machine's.
 * Throws JsonError, with the offset where the grammar broke.
 */
export function endOfValue(text: string, start: number): number {
  const closers: ('}' | ']')[] = [];
  let at = start;
  for (;;) {
    const opener = text[at];
    if (opener === '{' || opener === '[') {
      const closer = opener === '{' ? '}' : ']';
      at = skipWhitespace(text, at + 1);
      if (text[at] === closer) {
        at += 1;
      } else {
        if (closers.length === maxJsonDepth) {
          throw broken(text, at, `at most ${maxJsonDepth} nested values`);
        }
        closers.push(closer);
        if (closer === '}') at = startOfMemberValue(text, at);
        continue;
      }
    } else {
      at = endOfScalar(text, at);
    }

    // A value has just ended: close what it was the last of, or step to its next sibling.
    for (;;) {
      const closer = closers.at(-1);
      if (closer === undefined) return at;
      at = skipWhitespace(text, at);
      if (text[at] === closer) {
        closers.pop();
        at += 1;
        continue;
      }
      if (text[at] !== ',') throw broken(text, at, `"," or "${closer}"`);
      at = skipWhitespace(text, at + 1);
      if (closer === '}') at = startOfMemberValue(text, at);
      break;
    }
  }
}

/** The offset of the first character at or behind `at` that is not JSON whitespace. */
export function skipWhitespace(text: string, at: number): number {
  let next = at;
  while (text[next] === ' ' || text[next] === '\n' || text[next] === '\r' || text[next] === '\t') {
    next += 1;
  }
  return next;
}

/** The offset just behind the string that begins at `start`. Throws JsonError. */
export function endOfString(text: string, start: number): number {
  if (text[start] !== '"') throw broken(text, start, 'a string');
  let at = start + 1;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) return at + 1;
    if (unit < 0x20) throw broken(text, at, 'an escaped control character');
    if (unit === 0x5c) {
      escape.lastIndex = at;
      if (!escape.test(text)) throw broken(text, at, 'an escape sequence');
      at = escape.lastIndex;
    } else {
      at += 1;
    }
  }
  throw broken(text, at, 'the end of a string');
}

/** A JsonError that says what was due at an offset and what stood there. */
export function broken(text: string, offset: number, expected: string): JsonError {
  const character = text.codePointAt(offset);
  const received =
    character === undefined
      ? 'the end of the text'
      : JSON.stringify(String.fromCodePoint(character));
  return new JsonError(
    `read JSON: expected ${expected} at offset ${offset}, found ${received}`,
    'Give exactly one JSON value.',
    offset,
  );
}

function startOfMemberValue(text: string, keyStart: number): number {
  const colon = skipWhitespace(text, endOfString(text, keyStart));
  if (text[colon] !== ':') throw broken(text, colon, '":"');
  return skipWhitespace(text, colon + 1);
}

function endOfScalar(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  for (const word of ['true', 'false', 'null']) {
    if (text.startsWith(word, start)) return start + word.length;
  }
  number.lastIndex = start;
  if (number.test(text)) return number.lastIndex;
  throw broken(text, start, 'a value');
}
