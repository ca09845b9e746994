import type { z } from 'zod';

/** A property that the schema knows, written as in the table; `opaque` where it does not look into the value. */
export type SchemaField = {
  field: string;
  opaque: boolean;
  /** With an opaque object: these properties of it are fields of their own. */
  known?: readonly string[];
};

// What a schema says of itself, zod's `_zod.def`; only what the walk needs.
type Definition = {
  type: string;
  shape?: Record<string, z.core.$ZodType>;
  catchall?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  innerType?: z.core.$ZodType;
  in?: z.core.$ZodType;
  left?: z.core.$ZodType;
  right?: z.core.$ZodType;
  options?: readonly z.core.$ZodType[];
  getter?: () => z.core.$ZodType;
};

const scalars = [
  'string',
  'number',
  'bigint',
  'int',
  'boolean',
  'enum',
  'literal',
  'template_literal',
];

/** Every property of a schema that holds no further ones. Throws for a kind of schema that it does not know. */
export function schemaFields(schema: z.core.$ZodType, path = ''): SchemaField[] {
  const definition = schema._zod.def as unknown as Definition;
  const leaf = (opaque: boolean): SchemaField[] => [
    { field: path.replace(/(\[\]|\.\*)$/, ''), opaque },
  ];
  const into = (inner: z.core.$ZodType | undefined, name = path): SchemaField[] =>
    inner === undefined ? [] : schemaFields(inner, name);
  const { type, shape } = definition;
  if (scalars.includes(type)) return leaf(false);
  switch (type) {
    case 'object': {
      const entries = Object.entries(shape ?? {});
      const fields = entries.flatMap(([name, inner]) =>
        into(inner, path === '' ? name : `${path}.${name}`),
      );
      const rest = definition.catchall?._zod.def.type;
      if (rest === undefined || rest === 'never') return fields;
      return [...fields, { field: path, opaque: true, known: Object.keys(shape ?? {}) }];
    }
    case 'array':
      return into(definition.element, `${path}[]`);
    case 'record':
      return into(definition.valueType, `${path}.*`);
    case 'union':
      return unique((definition.options ?? []).flatMap((option) => into(option)));
    case 'intersection':
      return unique([...into(definition.left), ...into(definition.right)]);
    case 'optional':
    case 'nullable':
    case 'nonoptional':
    case 'default':
    case 'prefault':
    case 'catch':
    case 'readonly':
      return into(definition.innerType);
    case 'pipe':
      return into(definition.in);
    case 'lazy':
      return into(definition.getter?.());
    case 'null':
    case 'undefined':
    case 'never':
      return [];
    case 'unknown':
    case 'any':
    case 'custom':
      return leaf(true);
    default:
      throw new TypeError(`the walk over the schema does not know ${type} at ${path}`);
  }
}

/** Whether a row of the table is this field of the schema, or lies where the schema does not look. */
export function isCovered(row: string, { field, opaque, known = [] }: SchemaField): boolean {
  const pattern = field
    .replaceAll(/[.[\]]/g, String.raw`\$&`)
    .replaceAll('*', String.raw`[^.[\]]+`);
  const match = new RegExp(`^${pattern}(?:$|(?=[.[]))`).exec(row);
  if (match === null) return false;
  const rest = row.slice(match[0].length);
  // A row may be of one value among those that an array holds.
  if (!opaque) return rest === '' || rest === '[]';
  return !known.some((name) => rest === `.${name}` || new RegExp(`^\\.${name}[.[]`).test(rest));
}

const unique = (fields: SchemaField[]): SchemaField[] =>
  fields.filter((one, index) => fields.findIndex(({ field }) => field === one.field) === index);
