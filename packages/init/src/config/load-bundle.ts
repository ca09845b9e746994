import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseExactJson } from '@pilotlight/sync';
import { InvalidConfigError } from '../errors.ts';
import type { OciSpec } from './oci-spec.ts';
import { ociSpecSchema } from './oci-spec-schema.ts';

/** An OCI bundle: a directory and the specification in its `config.json`. */
export type Bundle = {
  /** Absolute path of the directory. */
  path: string;
  spec: OciSpec;
};

/**
 * Reads and validates `config.json` of a bundle.
 *
 * @param directory the bundle; relative paths are taken from the working directory
 * @throws InvalidConfigError when the file is missing, unreadable, not JSON, or not valid
 */
export async function loadBundle(directory: string): Promise<Bundle> {
  const path = resolve(directory);
  const file = resolve(path, 'config.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new InvalidConfigError('', `read ${file}: ${systemReason(cause)}`, {
      cause,
      hint: isMissing(cause)
        ? 'Name a bundle directory that holds a config.json; `pilotlight spec` writes one.'
        : 'Make the file readable to the user who launches.',
    });
  }
  return { path, spec: parseSpec(text, file) };
}

/**
 * Validates the text of a `config.json`. 64-bit numbers are read exactly.
 *
 * @param name how messages call the text
 * @throws InvalidConfigError
 */
export function parseSpec(text: string, name = 'config.json'): OciSpec {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    throw new InvalidConfigError('', `${name} is not valid JSON: ${(cause as Error).message}`, {
      cause,
      hint: 'The file may be cut short or edited by hand; `pilotlight spec` writes a fresh one.',
    });
  }
  return validateSpec(value, name);
}

/**
 * Validates a specification that is already an object.
 *
 * @throws InvalidConfigError naming the first wrong field and counting the others
 */
export function validateSpec(value: unknown, name = 'config.json'): OciSpec {
  const result = ociSpecSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = fieldName(issue?.path ?? []);
  const others = result.error.issues.length - 1;
  throw new InvalidConfigError(
    field,
    `${name}: ${field === '' ? 'the configuration' : field}: ${issue?.message ?? 'is not valid'}` +
      (others > 0 ? ` (and ${others} more)` : ''),
    {
      cause: result.error,
      hint: 'Correct the field as the OCI runtime specification has it; `pilotlight spec` writes a valid example.',
    },
  );
}

function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`;
    else name += name === '' ? String(part) : `.${String(part)}`;
  }
  return name;
}

const systemReason = (error: unknown): string =>
  error instanceof Error && 'code' in error
    ? `${String(error.code)} (${error.message.replace(/^[A-Z]+: /, '').replace(/,.*$/s, '')})`
    : String(error);

const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOENT' || error.code === 'ENOTDIR');
