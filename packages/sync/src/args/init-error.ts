import * as z from 'zod/mini';
import { InvalidArgError } from '../errors.ts';
import { foldKey } from '../json/fold-key.ts';
import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { nameMembers } from '../json/member-names.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import { checkArg, parseObjectArg } from './decode-arg.ts';

/**
 * The argument of procError: the text to show, and whatever else the child puts beside it.
 * runc sends `message` alone and ignores other members, so structured data may travel with it.
 * `message` is empty when the child sent none.
 */
export type InitErrorArg = {
  readonly message: string;
  readonly [extra: string]: JsonValue | undefined;
};

/** Checks the one member that has a fixed meaning; others pass. */
export const initErrorSchema: z.ZodMiniType<InitErrorArg> = /* @__PURE__ */ z.looseObject({
  message: /* @__PURE__ */ z._default(/* @__PURE__ */ z.string(), ''),
}) as unknown as z.ZodMiniType<InitErrorArg>;

/**
 * The raw argument text: `message` first, left out when empty as runc does, then the other
 * members in their order.
 * Throws InvalidArgError for a member that a Go reader would take for `message` (its letter case
 * does not count there), and for values that JSON cannot hold.
 */
export function encodeInitError(arg: InitErrorArg): string {
  const { message, ...extra } = arg;
  if (typeof message !== 'string') {
    throw new InvalidArgError('procError', 'message is not a string', 'Give the text to show.');
  }
  for (const key of Object.keys(extra)) {
    if (foldKey(key) === 'message') {
      throw new InvalidArgError(
        'procError',
        `the member ${JSON.stringify(key)} would be read as message`,
        'Give the member another name.',
      );
    }
  }
  const members: JsonObject = message === '' ? extra : { message, ...extra };
  try {
    return stringifyExactJson(members);
  } catch (cause) {
    throw new InvalidArgError(
      'procError',
      'a member has no JSON form',
      'Give plain objects, arrays, strings, booleans, null, finite numbers and bigints.',
      { cause },
    );
  }
}

/**
 * Reads the raw argument of procError; also the capitalised error object of runc before 1.1.
 * Members other than the message are kept. Throws MalformedArgError.
 */
export function decodeInitError(raw: string): InitErrorArg {
  const value = parseObjectArg('procError', raw);
  const members = nameMembers(value, ['message']);
  const { message: given, ...extra } = members;
  const { message } = checkArg('procError', { message: given }, initErrorSchema);
  return { message, ...extra };
}
