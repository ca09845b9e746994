/**
 * What Go's encoder and decoder make of a type, as data. A `pointer` is null where it has no value;
 * so are a `list` and a `map`. A `struct` always stands with all its fields, except those that are
 * omitted when empty.
 */
export type GoType =
  | { readonly kind: 'string' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'integer'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'list'; readonly item: GoType }
  | { readonly kind: 'map'; readonly value: GoType }
  | { readonly kind: 'pointer'; readonly to: GoType }
  | GoStruct;

/** A struct and its fields in the order of the wire. */
export type GoStruct = { readonly kind: 'struct'; readonly fields: readonly GoField[] };

/** One field of a struct. */
export type GoField = {
  readonly key: string;
  readonly type: GoType;
  /** Left out when false, 0, "", null or without elements; a struct, when none of its fields is set. */
  readonly omitEmpty: boolean;
};

export const string: GoType = { kind: 'string' };
export const bool: GoType = { kind: 'bool' };
export const int64: GoType = { kind: 'integer', min: -(2n ** 63n), max: 2n ** 63n - 1n };
export const uint64: GoType = { kind: 'integer', min: 0n, max: 2n ** 64n - 1n };
export const int32: GoType = { kind: 'integer', min: -(2n ** 31n), max: 2n ** 31n - 1n };
export const uint32: GoType = { kind: 'integer', min: 0n, max: 2n ** 32n - 1n };
export const uint16: GoType = { kind: 'integer', min: 0n, max: 2n ** 16n - 1n };

export function list(item: GoType): GoType {
  return { kind: 'list', item };
}

export function map(value: GoType): GoType {
  return { kind: 'map', value };
}

export function pointer(to: GoType): GoType {
  return { kind: 'pointer', to };
}

/** A struct; the keys with a `?` behind them are omitted when empty. */
export function struct(fields: Readonly<Record<string, GoType>>): GoStruct {
  return {
    kind: 'struct',
    fields: Object.entries(fields).map(([key, type]) => ({
      key: key.replace(/\?$/, ''),
      type,
      omitEmpty: key.endsWith('?'),
    })),
  };
}
