import * as z from 'zod/mini';
import type { GoStruct, GoType } from './go-type.ts';

/**
 * The schema of the values that a Go type has here: every member may be absent, unknown members are
 * dropped, integers are exact (`number` where safe, `bigint` beyond).
 */
export function goSchema(type: GoType): z.ZodMiniType {
  switch (type.kind) {
    case 'string':
      return z.string();
    case 'bool':
      return z.boolean();
    case 'integer':
      return z.custom(
        (value) => isIntegerIn(value, type.min, type.max),
        `expected an integer from ${type.min} to ${type.max}`,
      );
    case 'list':
      return z.array(goSchema(type.item));
    case 'map':
      return z.record(z.string(), goSchema(type.value));
    case 'pointer':
      return goSchema(type.to);
    case 'struct':
      return structSchema(type);
  }
}

function structSchema({ fields }: GoStruct): z.ZodMiniType {
  return z.object(
    Object.fromEntries(fields.map(({ key, type }) => [key, z.optional(goSchema(type))])),
  );
}

function isIntegerIn(value: unknown, min: bigint, max: bigint): boolean {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return false;
  if (typeof value !== 'number' && typeof value !== 'bigint') return false;
  const exact = BigInt(value);
  return exact >= min && exact <= max;
}
