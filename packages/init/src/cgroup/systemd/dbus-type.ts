/** A value with its type, D-Bus `v`. */
export type DbusVariant = { signature: string; value: DbusValue };

/**
 * A value of D-Bus: numbers up to 32 bits as `number`, 64 bits as `bigint`, arrays and structs as arrays; a byte
 * array is read as a Buffer.
 */
export type DbusValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | DbusVariant
  | readonly DbusValue[];

/** The bytes are not D-Bus, or not the part of it that is spoken here. */
export class DbusFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DbusFormatError';
  }
}

/** The types that systemd's interface needs: all basic ones but `n`, `q`, `d` and `h`. */
const alignments: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  '(': 8,
  '{': 8,
};

/** Where a value of this type may begin, in bytes; D-Bus specification, "Marshaling". */
export function alignmentOf(type: string): number {
  const alignment = alignments[type[0] ?? ''];
  if (alignment === undefined)
    throw new DbusFormatError(`D-Bus type ${JSON.stringify(type)} is not spoken here`);
  return alignment;
}

/** Each complete type of a signature, for example `['s', 'a(sv)']` of `sa(sv)`. */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  let rest = signature;
  while (rest !== '') {
    const length = typeLength(rest, 0);
    types.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return types;
}

/** D-Bus allows 32 arrays in 32 structs. */
const MAX_DEPTH = 64;

function typeLength(signature: string, depth: number): number {
  const [first = ''] = signature;
  if (depth > MAX_DEPTH) throw new DbusFormatError('a D-Bus signature is nested too deeply');
  if (first === 'a') return 1 + typeLength(signature.slice(1), depth + 1);
  if (first !== '(' && first !== '{') {
    alignmentOf(first);
    return 1;
  }
  const close = first === '(' ? ')' : '}';
  let at = 1;
  while (signature[at] !== close) {
    if (at >= signature.length) throw new DbusFormatError('a D-Bus signature is cut short');
    at += typeLength(signature.slice(at), depth + 1);
  }
  if (at === 1) throw new DbusFormatError('a D-Bus struct is empty');
  return at + 1;
}

/** What is in a struct or a dictionary entry. */
export const memberTypes = (type: string): string[] => splitSignature(type.slice(1, -1));
