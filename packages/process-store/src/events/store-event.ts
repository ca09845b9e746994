import { z } from 'zod';
import { digits } from '../record/digits.ts';
import { type ExitRecord, exitRecordSchema } from '../record/exit-record.ts';

/** The process an event is about. `key` may be used again later; with `pid`, `startTicks` and `bootId` it is unmistakable. */
export interface EventSubject {
  /** `box` for a container, `box/e1` for a process executed in it. */
  key: string;
  pid: number;
  /** Clock ticks since boot at its start. */
  startTicks: bigint;
  bootId: string;
}

/** What happened. */
export type EventFact =
  /** The gate of a container was opened, its program may run. */
  | { type: 'start' }
  /** The same, of a process executed in a container. */
  | { type: 'exec' }
  /** It has ended, and that is recorded. */
  | { type: 'exit'; exit: ExitRecord }
  /** The kernel killed a process of its cgroup for want of memory; `count` is how often until now. */
  | { type: 'oom'; count: bigint }
  /** A fork in its cgroup failed at the limit of processes; `count` is how often until now. */
  | { type: 'pidsLimit'; count: bigint }
  /** It was started again after an end; `attempt` counts from 1. The subject is the process that had ended. */
  | { type: 'restart'; attempt: number }
  /** Its record is being removed. */
  | { type: 'remove' };

/** When it was told. */
export interface EventTime {
  /** RFC 3339, UTC. */
  time: string;
  /** CLOCK_MONOTONIC in nanoseconds: comparable within a boot and a time namespace, and never set back. */
  monotonicNs: bigint;
}

/** An entry of the journal. Told at least once: after a crash the same event may come again, with a later cursor. */
export type StoreEvent = EventSubject & EventTime & EventFact & { cursor: string };

/** Entries after the cursor that was asked for are not kept any more: `list` tells how things are now. */
export interface LostEvents {
  type: 'lost';
  /** What comes next in the journal comes after this. */
  cursor: string;
}

/** A line of the journal. */
export interface EventLine {
  schema: 1;
  seq: number;
  event: EventSubject & EventTime & EventFact;
}

const about = {
  key: z.string().min(1),
  pid: z.int().min(1),
  startTicks: digits,
  bootId: z.string().min(1),
  time: z.iso.datetime(),
  monotonicNs: digits,
};

const eventSchema = z.discriminatedUnion('type', [
  z.object({ ...about, type: z.literal('start') }),
  z.object({ ...about, type: z.literal('exec') }),
  z.object({ ...about, type: z.literal('exit'), exit: exitRecordSchema }),
  z.object({ ...about, type: z.literal('oom'), count: digits }),
  z.object({ ...about, type: z.literal('pidsLimit'), count: digits }),
  z.object({ ...about, type: z.literal('restart'), attempt: z.int().min(1) }),
  z.object({ ...about, type: z.literal('remove') }),
]);

export const eventLineSchema: z.ZodType<EventLine> = z.object({
  schema: z.literal(1),
  seq: z.int().min(1),
  event: eventSchema,
});
