/**
 * A JSON value with exact integers: those a double cannot hold are `bigint`.
 * A member that is `undefined` counts as absent.
 */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** A JSON object. Keys keep their order; `__proto__` is an ordinary key. */
export type JsonObject = { readonly [key: string]: JsonValue | undefined };

/**
 * How many objects and arrays may be nested, 1000. Go stops at 10000; the protocol's deepest
 * argument has four levels, and the lower limit keeps recursion far away from the stack's end.
 */
export const maxJsonDepth = 1000;
