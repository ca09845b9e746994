/**
 * What clients and the monitor say on `monitor.sock`; packets of one JSON object each.
 *
 *     client                          monitor
 *                                     hello
 *     info                            info
 *     adopt  + descriptors            adopted            both the monitor and the keeper hold them
 *     attend                          attending          it is watched, and all that is done for it has begun
 *     settle                          settled            what could be recorded of this process is recorded
 *     console                         console + pty      a duplicate of the master side
 *     leave                           leaving | busy     it ends, if the root has no records
 *     launch + request + descriptors  step …             after each step, if the client asked for steps
 *     continue                        transcript, warning
 *                                     recorded + pidfd   nothing has run yet
 *     go | abort                      started | failed
 *
 * `failed` also answers anything else that could not be done. A client that hangs up before `go` aborts its launch.
 */
import { z } from 'zod';
import { type WireError, wireErrorSchema } from './wire-error.ts';

/** What a descriptor that is kept with a process is. */
export type HeldRole = 'pidfd' | 'stdin' | 'stdout' | 'stderr' | 'console';

export const heldRoleSchema: z.ZodType<HeldRole> = z.enum([
  'pidfd',
  'stdin',
  'stdout',
  'stderr',
  'console',
]);

/** What a descriptor that comes with a launch is; `request` is a memfd with the LaunchRequest as JSON. */
export type LaunchRole =
  | 'request'
  | 'stdin'
  | 'stdout'
  | 'stderr'
  | 'console'
  | 'preserve'
  | 'listen';

const key = z.string().min(1).max(1024);

export type ClientMessage =
  | { type: 'info' }
  | { type: 'adopt'; key: string; roles: HeldRole[] }
  | { type: 'attend'; key: string }
  | { type: 'settle'; key: string }
  | { type: 'console'; key: string }
  | { type: 'leave' }
  | {
      type: 'launch';
      roles: LaunchRole[];
      steps: boolean;
      transcript: boolean;
      namespaces: { pid: string; mnt: string };
    }
  | { type: 'continue' }
  | { type: 'go' }
  | { type: 'abort' };

const namespaces = z.object({ pid: z.string(), mnt: z.string() });

export const clientMessageSchema: z.ZodType<ClientMessage> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('info') }),
  z.object({ type: z.literal('adopt'), key, roles: z.array(heldRoleSchema).min(1).max(16) }),
  z.object({ type: z.literal('attend'), key }),
  z.object({ type: z.literal('settle'), key }),
  z.object({ type: z.literal('console'), key }),
  z.object({ type: z.literal('leave') }),
  z.object({
    type: z.literal('launch'),
    roles: z.array(
      z.enum(['request', 'stdin', 'stdout', 'stderr', 'console', 'preserve', 'listen']),
    ),
    steps: z.boolean(),
    transcript: z.boolean(),
    namespaces,
  }),
  z.object({ type: z.literal('continue') }),
  z.object({ type: z.literal('go') }),
  z.object({ type: z.literal('abort') }),
]);

/** What a running monitor tells of itself. */
export interface MonitorInfo {
  pid: number;
  /** RFC 3339, UTC. */
  startedAt: string;
  /** The keeper above it; null when it has died. */
  keeperPid: number | null;
  /** The keeper has died: one more death may lose statuses in tiers B and C. It ends when idle, and the next demand starts a new pair. */
  unprotected: boolean;
  /** How many processes it watches. */
  watching: number;
  /** How many descriptors it holds. */
  held: number;
  /** How long it stays with nothing to do, in milliseconds. */
  idleMs: number;
  /** Records that it cannot read or write, and why. They stay as they are. */
  problems: { key: string; message: string }[];
}

export type SettledState = 'stopped' | 'alive' | 'absent' | 'hidden';

export type MonitorMessage =
  | { type: 'hello'; protocol: 1; pid: number }
  | ({ type: 'info' } & MonitorInfo)
  | { type: 'adopted' }
  | { type: 'attending' }
  | { type: 'settled'; state: SettledState }
  | { type: 'console' }
  | { type: 'leaving' }
  | { type: 'busy' }
  | { type: 'step'; step: string }
  | { type: 'transcript'; line: string }
  | { type: 'warning'; error: WireError }
  | { type: 'recorded'; id: string; pid: number }
  | { type: 'started'; phases: { name: string; startMs: number; durationMs: number }[] }
  | { type: 'failed'; error: WireError };

export const monitorMessageSchema: z.ZodType<MonitorMessage> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), protocol: z.literal(1), pid: z.int() }),
  z.object({
    type: z.literal('info'),
    pid: z.int(),
    startedAt: z.iso.datetime(),
    keeperPid: z.int().nullable(),
    unprotected: z.boolean(),
    watching: z.int(),
    held: z.int(),
    idleMs: z.number(),
    problems: z.array(z.object({ key: z.string(), message: z.string() })),
  }),
  z.object({ type: z.literal('adopted') }),
  z.object({ type: z.literal('attending') }),
  z.object({
    type: z.literal('settled'),
    state: z.enum(['stopped', 'alive', 'absent', 'hidden']),
  }),
  z.object({ type: z.literal('console') }),
  z.object({ type: z.literal('leaving') }),
  z.object({ type: z.literal('busy') }),
  z.object({ type: z.literal('step'), step: z.string() }),
  z.object({ type: z.literal('transcript'), line: z.string() }),
  z.object({ type: z.literal('warning'), error: wireErrorSchema }),
  z.object({ type: z.literal('recorded'), id: z.string(), pid: z.int().min(1) }),
  z.object({
    type: z.literal('started'),
    phases: z.array(z.object({ name: z.string(), startMs: z.number(), durationMs: z.number() })),
  }),
  z.object({ type: z.literal('failed'), error: wireErrorSchema }),
]);
