import * as z from 'zod/mini';
import { InvalidMessageError, JsonError, MalformedObjectError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { failedStep, type HandshakeTable } from '../handshake/handshake-table.ts';
import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { isJsonObject, nameMembers } from '../json/member-names.ts';
import { parseExactJson } from '../json/parse.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { DialectTypeRule, StreamDialect } from './dialect.ts';

/**
 * One message between embedshim and its exec wrapper, with the member names of the wire. Only the
 * members that mean something for its type are here; on the wire pid, exited and exited_status
 * always stand, 0 or false where unused.
 */
export type ProcSyncMessage =
  /** The executed process: its pid as the host counts. */
  | { readonly type: 'execPid'; readonly pid: number }
  | { readonly type: 'execPidDone' }
  /** Whether it has ended already, and then its raw wait status (wait(2)), which only the wrapper sees. */
  | { readonly type: 'execStatus'; readonly exited: false }
  | { readonly type: 'execStatus'; readonly exited: true; readonly exited_status: number }
  | { readonly type: 'execStatusDone' }
  | { readonly type: 'error'; readonly message: string };

/** The name of a message of embedshim. */
export type ProcSyncType = ProcSyncMessage['type'];

const procSyncTypes: Readonly<Record<ProcSyncType, DialectTypeRule>> = Object.freeze({
  execPid: { sender: 'child', meaning: 'this is the pid of the process', reply: 'execPidDone' },
  execPidDone: { sender: 'parent', meaning: 'the process is being watched' },
  execStatus: {
    sender: 'child',
    meaning: 'it has ended already with this status, or it runs',
    reply: 'execStatusDone',
  },
  execStatusDone: { sender: 'parent', meaning: 'the status has been recorded' },
  error: { sender: 'child', meaning: 'the exec failed; the message says why' },
} satisfies Record<ProcSyncType, DialectTypeRule>);

/**
 *     parent (daemon)                       child (wrapper)
 *                        <-------------     execPid
 *     execPidDone        ------------->                            after it is being watched
 *                        <-------------     execStatus
 *     execStatusDone     ------------->
 *     end of file                           end of file
 */
const exec: HandshakeTable<ProcSyncType> = {
  name: 'exec of embedshim',
  types: procSyncTypes,
  start: 'executing',
  steps: {
    executing: { next: { execPid: 'awaiting watch', error: failedStep }, endOfFile: [] },
    'awaiting watch': { next: { execPidDone: 'watched', error: failedStep }, endOfFile: [] },
    watched: { next: { execStatus: 'awaiting record', error: failedStep }, endOfFile: [] },
    'awaiting record': { next: { execStatusDone: 'recorded', error: failedStep }, endOfFile: [] },
    recorded: { next: {}, endOfFile: ['parent', 'child'] },
    [failedStep]: { next: {}, endOfFile: ['parent', 'child'] },
  },
};

const maxUint32 = 0xffff_ffff;
const uint32 = /* @__PURE__ */ z
  .int()
  .check(/* @__PURE__ */ z.gte(0), /* @__PURE__ */ z.lte(maxUint32));
const pid = /* @__PURE__ */ z
  .int()
  .check(/* @__PURE__ */ z.gte(1), /* @__PURE__ */ z.lte(maxUint32));

/** The schema of {@link ProcSyncMessage}; it drops the members that mean nothing for the type. */
export const procSyncSchema: z.ZodMiniType<ProcSyncMessage> = /* @__PURE__ */ z.union([
  /* @__PURE__ */ z.object({ type: /* @__PURE__ */ z.literal('execPid'), pid }),
  /* @__PURE__ */ z.object({ type: /* @__PURE__ */ z.literal('execPidDone') }),
  /* @__PURE__ */ z.object({
    type: /* @__PURE__ */ z.literal('execStatus'),
    exited: /* @__PURE__ */ z.literal(false),
  }),
  /* @__PURE__ */ z.object({
    type: /* @__PURE__ */ z.literal('execStatus'),
    exited: /* @__PURE__ */ z.literal(true),
    exited_status: uint32,
  }),
  /* @__PURE__ */ z.object({ type: /* @__PURE__ */ z.literal('execStatusDone') }),
  /* @__PURE__ */ z.object({
    type: /* @__PURE__ */ z.literal('error'),
    message: /* @__PURE__ */ z._default(/* @__PURE__ */ z.string(), ''),
  }),
]);

/**
 * embedshim's exec wrapper: a byte stream, one object for each message.
 *
 * The reader is stricter than the original where a missing member would be read as a fact: execPid
 * without a pid, execStatus without `exited`, and an end without its status are refused, so an
 * unknown status never passes for 0.
 */
export const embedshim: StreamDialect<ProcSyncMessage, 'embedshim', 'exec'> = Object.freeze({
  framing: 'stream' as const,
  name: 'embedshim' as const,
  id: 'ProcSync',
  spokenBy: 'embedshim-runcext',
  types: procSyncTypes,
  handshakes: { exec },
  encode,
  decode,
  payloadFollows: () => false,
  withPayload: (message: ProcSyncMessage) => message,
  message: messageOf,
  failure: (text: string): ProcSyncMessage => ({ type: 'error', message: text }),
});

function encode(message: ProcSyncMessage): readonly Uint8Array[] {
  const checked = check(message);
  const members: JsonObject = {
    type: checked.type,
    pid: checked.type === 'execPid' ? checked.pid : 0,
    exited: checked.type === 'execStatus' && checked.exited,
    exited_status: checked.type === 'execStatus' && checked.exited ? checked.exited_status : 0,
    message: (checked.type === 'error' && checked.message) || undefined,
  };
  return [new TextEncoder().encode(stringifyExactJson(members))];
}

function decode(object: string): ProcSyncMessage {
  let value: JsonValue;
  try {
    value = parseExactJson(object);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw malformed(object, cause);
  }
  if (!isJsonObject(value)) throw malformed(object);
  const members = nameMembers(value, memberNames);
  const result = procSyncSchema.safeParse(members);
  if (!result.success) throw malformed(object, result.error);
  return result.data;
}

function messageOf(type: ProcSyncType, arg?: JsonValue): ProcSyncMessage {
  return check(isJsonObject(arg) ? { ...arg, type } : { type });
}

function check(message: unknown): ProcSyncMessage {
  const result = procSyncSchema.safeParse(message);
  if (result.success) return result.data;
  throw new InvalidMessageError(
    'encode a message of embedshim: it has not the members that its type needs',
    'Give execPid a pid, execStatus exited and exited_status, error a message.',
    { cause: result.error },
  );
}

const memberNames = ['type', 'pid', 'exited', 'exited_status', 'message'];

function malformed(object: string, cause?: unknown): MalformedObjectError {
  return new MalformedObjectError(
    `decode a message of embedshim: it is none: ${excerpt(object)}`,
    cause === undefined ? undefined : { cause },
  );
}
