import type * as z from 'zod/mini';
import { InvalidConfigError, JsonError, MalformedConfigError } from '../errors.ts';
import type { JsonValue } from '../json/json-value.ts';
import { isJsonObject } from '../json/member-names.ts';
import { parseExactJson } from '../json/parse.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import { goSchema } from './go-schema.ts';
import type { InitConfig } from './init-config.ts';
import { initConfigLayouts, type InitConfigLayout } from './layouts.ts';
import { readGo } from './read-go.ts';
import { writeGo } from './write-go.ts';

/** The schema of {@link InitConfig} in each layout: it drops what the layout does not have. */
export const initConfigSchemas: Readonly<Record<InitConfigLayout, z.ZodMiniType<InitConfig>>> =
  Object.freeze({
    'runc-1.1': goSchema(initConfigLayouts['runc-1.1']) as z.ZodMiniType<InitConfig>,
    'runc-1.5': goSchema(initConfigLayouts['runc-1.5']) as z.ZodMiniType<InitConfig>,
  });

/**
 * The config's text, byte for byte as Go's encoder of that release writes it, without a newline.
 * Throws InvalidConfigError for a member that the layout does not have or that is of a wrong type
 * or out of range. The message never shows a value: the environment may hold secrets.
 */
export function encodeInitConfig(config: InitConfig, layout: InitConfigLayout): string {
  const checked = initConfigSchemas[layout].safeParse(config);
  if (!checked.success) {
    const { path, reason } = firstIssue(checked.error);
    throw new InvalidConfigError(path, reason, { cause: checked.error });
  }
  const value = writeGo(config, initConfigLayouts[layout], (path) => {
    throw new InvalidConfigError(path, `the layout ${layout} has no such member`);
  });
  try {
    return stringifyExactJson(value);
  } catch (cause) {
    throw new InvalidConfigError('', 'a member has no JSON form', { cause });
  }
}

/**
 * Reads a config as Go's decoder of that release reads it: keys in any letter case, null as if
 * absent, unknown members left out. Throws MalformedConfigError.
 */
export function decodeInitConfig(text: string, layout: InitConfigLayout): InitConfig {
  let value: JsonValue;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new MalformedConfigError('', 'it is not one JSON value', { cause });
  }
  if (!isJsonObject(value)) throw new MalformedConfigError('', 'it is not an object');
  const result = initConfigSchemas[layout].safeParse(readGo(value, initConfigLayouts[layout]));
  if (result.success) return result.data;
  const { path, reason } = firstIssue(result.error);
  throw new MalformedConfigError(path, reason, { cause: result.error });
}

function firstIssue(error: z.core.$ZodError): { path: string; reason: string } {
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  if (issue === undefined) return { path, reason: 'it is not valid' };
  return {
    path,
    reason: issue.code === 'invalid_type' ? `expected ${issue.expected}` : issue.message,
  };
}
