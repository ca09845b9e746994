/** A release of the OCI runtime specification. */
export type SpecVersion = '1.0.0' | '1.0.1' | '1.0.2' | '1.1.0' | '1.2.0' | '1.2.1' | '1.3.0';

/** A launch does what the field says, or fails with an error that names it. */
export type Honoured = {
  status: 'honoured';
  /** Where it is decided or done; relative to this package. */
  code: string;
  /** Which file of tests proves it; relative to the repository. */
  test: string;
  /** What the host must have; absent where every supported kernel has it. */
  needs?: string | undefined;
};

/** A launch with this field fails with an UnsupportedConfigError before anything is done. */
export type Refused = { status: 'refused'; reason: string };

/** The field changes nothing, and the specification has it so. */
export type Ignored = { status: 'ignored'; reason: string };

export type Standing = Honoured | Refused | Ignored;

/** One row of the table: a property of `config.json` that holds no further properties. */
export type SpecField = Standing & {
  /** `[]` for the elements of an array, `*` for the names in a map. */
  field: string;
  /** The row is of this value alone. */
  value?: string | undefined;
  /** The first release that has it. */
  since: SpecVersion;
};

export const honoured = (code: string, test: string, needs?: string): Honoured => ({
  status: 'honoured',
  code,
  test,
  needs,
});
export const refused = (reason: string): Refused => ({ status: 'refused', reason });
export const ignored = (reason: string): Ignored => ({ status: 'ignored', reason });

/** Rows of one standing, by the release that brought them; `field=value` for a row of one value. */
export function rows(
  standing: Standing,
  fields: Partial<Record<SpecVersion, readonly string[]>>,
): SpecField[] {
  return Object.entries(fields).flatMap(([since, names]) =>
    names.map((name) => {
      const [field = name, value] = name.split('=');
      return { field, value, since: since as SpecVersion, ...standing };
    }),
  );
}
