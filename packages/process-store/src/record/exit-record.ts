import { decodeWaitStatus, type WaitStatus } from '@pilotlight/scm-rights';
import { z } from 'zod';

/**
 * Who told the status: the parent that reaped, the pinned pidfd, a pidfd that somebody held, or the keeper, which inherited
 * the process from a parent that died.
 */
export type ExitSource = 'parent' | 'pin' | 'pidfd' | 'keeper';

/**
 * Why nobody can tell: the machine was restarted; nothing kept the status (no pin, no parent of ours); or even the pid is
 * somebody else's by now.
 */
export type UnknownReason = 'reboot' | 'no-holder' | 'pid-reused';

interface ExitFacts {
  id: string;
  /** False if the gate was never opened: the program did not run, the status is that of the waiting child. */
  started: boolean;
  /** RFC 3339, UTC; null when the end was only noticed later. */
  exitedAt: string | null;
  /** When it was recorded; RFC 3339, UTC. */
  observedAt: string;
}

/** It exited, with `code` 0 to 255. */
export interface ExitedRecord extends ExitFacts {
  kind: 'exited';
  rawStatus: number;
  code: number;
  signal: null;
  core: false;
  /** Whether the kernel killed a process of its cgroup for want of memory; null if that cannot be told. */
  oom: boolean | null;
  source: ExitSource;
}

/** A signal ended it; `signal` is its number, `core` tells whether the kernel reported a core dump. */
export interface SignaledRecord extends ExitFacts {
  kind: 'signaled';
  rawStatus: number;
  code: null;
  signal: number;
  core: boolean;
  /** Whether the kernel killed a process of its cgroup for want of memory; null if that cannot be told. */
  oom: boolean | null;
  source: ExitSource;
}

/** It has ended, and nobody can tell how. Not a status: it converts to none. */
export interface UnknownExitRecord extends ExitFacts {
  kind: 'unknown';
  reason: UnknownReason;
}

/** How a process ended, or that nobody can tell. `kind` says which. */
export type ExitRecord = ExitedRecord | SignaledRecord | UnknownExitRecord;

const facts = {
  schema: z.literal(1),
  id: z.string().min(1),
  started: z.boolean(),
  exitedAt: z.iso.datetime().nullable(),
  observedAt: z.iso.datetime(),
};

const knownSchema = z
  .object({
    ...facts,
    rawStatus: z.int().min(0).max(0xffff),
    code: z.int().min(0).max(255).nullable(),
    signal: z.int().min(1).max(127).nullable(),
    core: z.boolean(),
    oom: z.boolean().nullable(),
    source: z.enum(['parent', 'pin', 'pidfd', 'keeper']),
  })
  .refine(
    ({ rawStatus, code, signal, core }) => {
      const status = decodeWaitStatus(rawStatus);
      return status.code === code && status.signal === signal && status.core === core;
    },
    { path: ['rawStatus'], message: 'must agree with code, signal and core' },
  )
  .transform(kindOf);

const unknownSchema = z
  .object({
    ...facts,
    rawStatus: z.null(),
    code: z.null(),
    signal: z.null(),
    core: z.literal(false),
    oom: z.null(),
    source: z.literal('unknown'),
    reason: z.enum(['reboot', 'no-holder', 'pid-reused']),
  })
  .transform(({ id, started, exitedAt, observedAt, reason }): ExitRecord => ({
    kind: 'unknown',
    id,
    started,
    exitedAt,
    observedAt,
    reason,
  }));

export const exitRecordSchema: z.ZodType<ExitRecord> = z.union([knownSchema, unknownSchema]);

/** The record of a known end. */
export function knownExit(
  status: WaitStatus,
  about: Omit<ExitedRecord, 'kind' | 'rawStatus' | 'code' | 'signal' | 'core'>,
): ExitRecord {
  const { raw, code, signal, core } = status;
  return kindOf({ ...about, rawStatus: raw, code, signal, core });
}

/** The text of `exit.json`. */
export function formatExitRecord(record: ExitRecord): string {
  return `${JSON.stringify(exitRecordFields(record))}\n`;
}

/** A record as JSON has it, where the kind is told by which of the fields are null. */
export function exitRecordFields(record: ExitRecord): Record<string, unknown> {
  const fields =
    record.kind === 'unknown'
      ? { rawStatus: null, code: null, signal: null, core: false, oom: null, source: 'unknown' }
      : {};
  const { kind: _kind, ...rest } = record;
  return { schema: 1, ...fields, ...rest };
}

type Known = Omit<ExitedRecord, 'kind' | 'code' | 'signal' | 'core'> & {
  code: number | null;
  signal: number | null;
  core: boolean;
};

function kindOf(known: Known): ExitRecord {
  const { id, started, exitedAt, observedAt, oom, source, rawStatus, code, signal, core } = known;
  const rest = { id, started, exitedAt, observedAt, oom, source, rawStatus };
  return code === null
    ? // One of the two is a number; wait(2) knows no third way to end.
      { kind: 'signaled', ...rest, code, signal: signal ?? 0, core }
    : { kind: 'exited', ...rest, code, signal: null, core: false };
}
