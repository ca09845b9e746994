import { z } from 'zod';
import { BadRecordError, NewerSchemaError } from '../errors.ts';

/** What a file of the store holds as JSON. */
export type RecordValue = Record<string, unknown>;

/** Lifts a value from the version it is listed under to the next one. Changes nothing that it was given. */
export type Migration = (value: RecordValue) => RecordValue;

/** How a kind of file is read, whichever of its versions it has. */
export interface RecordFormat<T> {
  /** The number in `schema` of what is written now. */
  version: number;
  /** By the version they begin with; from the oldest readable one there is no gap up to `version`. */
  migrations: Readonly<Record<number, Migration>>;
  /** Checks a value of `version`. */
  schema: z.ZodType<T>;
}

/** The version that all files have today. */
const CURRENT_VERSION = 1;

const versionSchema = z.object({ schema: z.int().min(0) }).loose();

/** A format with no older versions. */
export function onlyVersion<T>(schema: z.ZodType<T>): RecordFormat<T> {
  return { version: CURRENT_VERSION, migrations: {}, schema };
}

/**
 * Lifts what was read from a file to the version of `format`, in memory: the file stays as it was written.
 *
 * A value without a version is returned as it is, for the schema to refuse. Throws NewerSchemaError, BadRecordError for a
 * version that no migration begins with.
 */
export function migrateRecord(
  value: unknown,
  { version, migrations }: Pick<RecordFormat<unknown>, 'version' | 'migrations'>,
  shown: string,
): unknown {
  const parsed = versionSchema.safeParse(value);
  if (!parsed.success) return value;
  const found = parsed.data.schema;
  if (found > version) throw new NewerSchemaError(shown, found, version);
  let migrated: RecordValue = parsed.data;
  for (let from = found; from < version; from++) {
    const migrate = migrations[from];
    if (migrate === undefined) {
      throw new BadRecordError(shown, `its schema ${found} is older than any that is known here`);
    }
    migrated = { ...migrate(migrated), schema: from + 1 };
  }
  return migrated;
}
