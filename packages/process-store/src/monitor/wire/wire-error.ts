import { ScmRightsError, SyscallError } from '@pilotlight/scm-rights';
import { z } from 'zod';
import * as storeErrors from '../../errors.ts';

const DEEPEST_CAUSE = 5;
/** A packet has to fit a socket's buffer. */
const MOST_TEXT = 8192;
const MOST_TRANSCRIPT = 64 * 1024;

type Field = string | number | boolean | null | readonly string[];

/** An error as data, on its way from the monitor to the client that asked. */
export interface WireError {
  name: string;
  message: string;
  code?: string | undefined;
  hint?: string | undefined;
  /** What else its class has. */
  fields: Record<string, Field>;
  /** Of a failed launch. */
  transcript?: readonly string[] | undefined;
  cause?: WireError | undefined;
}

const field = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]);

export const wireErrorSchema: z.ZodType<WireError> = z.lazy(() =>
  z.object({
    name: z.string(),
    message: z.string(),
    code: z.string().optional(),
    hint: z.string().optional(),
    fields: z.record(z.string(), field),
    transcript: z.array(z.string()).optional(),
    cause: wireErrorSchema.optional(),
  }),
);

/** Turns whatever was thrown into data. */
export function toWireError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error))
    return { name: 'Error', message: bounded(String(error)), fields: {} };
  const { code, hint, transcript } = error as {
    code?: unknown;
    hint?: unknown;
    transcript?: unknown;
  };
  return {
    name: error.name,
    message: bounded(error.message),
    fields: fieldsOf(error),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof hint === 'string' ? { hint: bounded(hint) } : {}),
    ...(Array.isArray(transcript) ? { transcript: boundedLines(transcript.map(String)) } : {}),
    ...(error.cause === undefined || depth >= DEEPEST_CAUSE
      ? {}
      : { cause: toWireError(error.cause, depth + 1) }),
  };
}

/** The error again, of its class where that is one of the packages involved. */
export async function fromWireError(wire: WireError): Promise<Error> {
  const cause = wire.cause === undefined ? undefined : await fromWireError(wire.cause);
  const { name, message, code, hint, fields } = wire;
  const options = {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  };
  if (code?.startsWith('ERR_STORE_') === true) {
    const error = new storeErrors.StoreError(code, message, { hint: hint ?? '', ...options });
    return revived(error, (storeErrors as Classes)[name], wire);
  }
  if (code?.startsWith('ERR_INIT_') === true) {
    const init = await import('@pilotlight/init');
    if (name === 'LaunchError') {
      const { step = 'init', ...rest } = fields as Partial<Record<string, Field>>;
      const failure = {
        step: String(step),
        message,
        transcript: wire.transcript ?? [],
        ...options,
      };
      return new init.LaunchError({ ...rest, ...failure });
    }
    const error = new init.InitPackageError(code, message, options);
    return revived(error, (init as unknown as Classes)[name], wire);
  }
  if (code?.startsWith('ERR_SCM_') === true) {
    return revived(new ScmRightsError(code, message, options), undefined, wire);
  }
  const { errno, syscall } = fields;
  if (name === 'SyscallError' && typeof errno === 'number' && typeof syscall === 'string') {
    return revived(new SyscallError(errno, syscall, options, cause), undefined, wire);
  }
  return revived(new Error(message, cause === undefined ? undefined : { cause }), undefined, wire);
}

type Classes = Partial<Record<string, unknown>>;

function revived(error: Error, constructor: unknown, wire: WireError): Error {
  if (typeof constructor === 'function') {
    Object.setPrototypeOf(error, constructor.prototype as object);
  }
  const { name, message, code, fields, transcript } = wire;
  Object.assign(error, fields, code === undefined ? {} : { code });
  const hidden = { name, message, ...(transcript === undefined ? {} : { transcript }) };
  for (const [key, value] of Object.entries(hidden)) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true });
  }
  return error;
}

function fieldsOf(error: Error): Record<string, Field> {
  const known = Object.entries(error).filter(
    ([key, value]) => !['name', 'message', 'code', 'hint', 'cause'].includes(key) && isField(value),
  );
  return Object.fromEntries(known) as Record<string, Field>;
}

function isField(value: unknown): value is Field {
  return (
    value === null ||
    ['string', 'number', 'boolean'].includes(typeof value) ||
    (Array.isArray(value) && value.every((item) => typeof item === 'string'))
  );
}

function bounded(text: string): string {
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
}

function boundedLines(lines: readonly string[]): string[] {
  let length = 0;
  return lines.filter((line) => (length += line.length) <= MOST_TRANSCRIPT);
}
