import * as z from 'zod/mini';
import { checkArg, parseObjectArg } from '../args/decode-arg.ts';
import { InvalidArgError } from '../errors.ts';
import { isJsonObject, nameMembers } from '../json/member-names.ts';
import { stringifyExactJson } from '../json/stringify.ts';

/** Where in the peer's program the error was made; Go's file, function, package and line. */
export type GenericErrorFrame = {
  readonly File: string;
  readonly Function: string;
  readonly Package: string;
  readonly Line: number;
};

/**
 * The error object of runc 0.0.1 to 1.0.3, with the capitalised member names that stand on the
 * wire. What the sender omitted is filled in with its zero value when decoded.
 */
export type GenericError = {
  /** RFC 3339 with up to nine fractional digits. */
  readonly Timestamp: string;
  /** See {@link genericErrorCodes}; init processes practically always send 10. */
  readonly ECode: number;
  /** Written since 1.0.0-rc1; absent before. */
  readonly Cause?: string;
  /** The text to show. */
  readonly Message: string;
  readonly Stack: { readonly Frames: readonly GenericErrorFrame[] | null };
};

/** What the numbers in `ECode` mean; the list of runc 1.0. */
export const genericErrorCodes: readonly string[] = Object.freeze([
  'id in use',
  'invalid id',
  'not found',
  'paused',
  'not stopped',
  'not running',
  'not paused',
  'no process operations',
  'invalid config',
  'console exists',
  'system error',
]);

/** The number an init process sends: system error. */
export const systemErrorCode = 10;

const text = /* @__PURE__ */ z._default(/* @__PURE__ */ z.string(), '');
const integer = /* @__PURE__ */ z._default(/* @__PURE__ */ z.int(), 0);
const frame = /* @__PURE__ */ z.object({
  File: text,
  Function: text,
  Package: text,
  Line: integer,
});

/** The schema of {@link GenericError}: fills in what is missing, drops unknown members. */
export const genericErrorSchema: z.ZodMiniType<GenericError> = /* @__PURE__ */ z.object({
  Timestamp: text,
  ECode: integer,
  Cause: /* @__PURE__ */ z.exactOptional(/* @__PURE__ */ z.string()),
  Message: text,
  Stack: /* @__PURE__ */ z._default(
    /* @__PURE__ */ z.object({
      Frames: /* @__PURE__ */ z._default(
        /* @__PURE__ */ z.nullable(/* @__PURE__ */ z.array(frame)),
        null,
      ),
    }),
    { Frames: null },
  ),
});

/**
 * The object's text, members in runc's order; `Cause` is left out when the value has none.
 * Throws InvalidArgError for values that JSON cannot hold.
 */
export function encodeGenericError(error: GenericError): string {
  const { Timestamp, ECode, Cause, Message, Stack } = error;
  const frames = Stack.Frames?.map(({ File, Function, Package, Line }) => ({
    File,
    Function,
    Package,
    Line,
  }));
  try {
    return stringifyExactJson({
      Timestamp,
      ECode,
      Cause,
      Message,
      Stack: { Frames: frames ?? null },
    });
  } catch (cause) {
    throw new InvalidArgError(
      'procError',
      'a member has no JSON form',
      'Give the types that GenericError names.',
      { cause },
    );
  }
}

/** Reads the text of a generic error. Throws MalformedArgError. */
export function decodeGenericError(raw: string): GenericError {
  const value = parseObjectArg('procError', raw);
  const members = nameMembers(value, ['Timestamp', 'ECode', 'Cause', 'Message', 'Stack']);
  const stack = members['Stack'];
  if (!isJsonObject(stack)) return checkArg('procError', members, genericErrorSchema);
  const named = nameMembers(stack, ['Frames']);
  const frames = named['Frames'];
  const Frames = Array.isArray(frames)
    ? frames.map((item) =>
        isJsonObject(item) ? nameMembers(item, ['File', 'Function', 'Package', 'Line']) : item,
      )
    : frames;
  return checkArg('procError', { ...members, Stack: { ...named, Frames } }, genericErrorSchema);
}

/**
 * A generic error with this text, made now, as an init process of runc 1.0 would.
 * Trailing zeros of the fraction are dropped, as Go drops them.
 */
export function genericErrorOf(message: string, now: Date = new Date()): GenericError {
  const Timestamp = now.toISOString().replace(/\.?0*Z$/, 'Z');
  return {
    Timestamp,
    ECode: systemErrorCode,
    Cause: '',
    Message: message,
    Stack: { Frames: null },
  };
}
