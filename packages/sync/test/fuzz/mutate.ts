/** A stream of numbers in [0, 1) that is the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// What decoders of JSON and of lengths stumble over.
const tokens = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  '-1',
  '-0',
  '1e999',
  '0.5',
  '18446744073709551616',
  '9007199254740993',
  '\\ud800',
  '\\u0000',
  '"__proto__":',
  '"type":',
  '"TYPE":',
  '"message":',
  ' ',
  '\n',
  '\0',
  '\ufeff',
  '{"a":'.repeat(40),
  '['.repeat(1100),
].map((token) => new TextEncoder().encode(token));

const raw = [Uint8Array.of(0xff), Uint8Array.of(0xc3), Uint8Array.of(0xff, 0xff, 0xff, 0x7f)];

/** One sample with a few random changes; sometimes noise alone. */
export function mutate(corpus: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  if (random() < 0.03) return Uint8Array.from({ length: below(200) }, () => below(256));
  let bytes = pick(corpus);
  for (let changes = below(4); changes >= 0; changes -= 1) {
    const at = below(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + below(12));
    switch (below(6)) {
      case 0:
        bytes = bytes.slice();
        if (at < bytes.length) bytes[at] = below(256);
        break;
      case 1:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(end));
        break;
      case 2:
        bytes = concat(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 3:
        bytes = concat(bytes.subarray(0, at), pick([...tokens, ...raw]), bytes.subarray(at));
        break;
      case 4:
        bytes = bytes.subarray(0, at);
        break;
      default:
        bytes = concat(bytes.subarray(0, at), pick(corpus).subarray(below(20)));
    }
  }
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
