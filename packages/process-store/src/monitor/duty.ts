import type { OwnedFd } from '@pilotlight/scm-rights';
import type { ExitRecord } from '../record/exit-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import type { HeldRole } from './wire/client-protocol.ts';

/** A process that the monitor watches. */
export interface AttendedRecord {
  key: string;
  proc: ProcRecord;
  /** Its folder. */
  path: string;
  /** What was to be run; read on demand. Throws BadRecordError. */
  spec: () => Promise<SpecRecord | undefined>;
  /** A descriptor that is held with it, if there is one; it stays the monitor's, and is closed after its end. */
  held: (role: HeldRole) => OwnedFd | undefined;
  /** Takes over a descriptor; resolves when monitor and keeper hold it until the end. */
  hold: (role: HeldRole, fd: OwnedFd) => Promise<void>;
}

/**
 * Something that the monitor does for the processes it watches beside recording their ends: pumping logs, watching for want of
 * memory, starting again what has ended.
 */
export interface MonitorDuty {
  /** For reports. */
  readonly name: string;
  /** Whether the monitor has to stay for something else than a process it watches. */
  readonly isBusy?: boolean;
  /**
   * Begins with a process; again when something more is held with it, and in each monitor's life. True if the monitor has to
   * stay for it even where nothing else needs it.
   */
  attend: (record: AttendedRecord) => Promise<boolean> | boolean;
  /** The end is on disk. What is held with the process is closed when this resolves. */
  ended?: (record: AttendedRecord, exit: ExitRecord) => Promise<void> | void;
  /** Its end is recorded, and nothing is held for it any more; also for one that ended before this monitor came. */
  finished?: (key: string) => Promise<void> | void;
  /** The record was deleted. */
  forget?: (key: string) => Promise<void> | void;
  /** The monitor leaves. */
  close?: () => Promise<void> | void;
}
