import type { FdLike } from '@pilotlight/scm-rights';
import type { ExitRecord } from '../record/exit-record.ts';
import type { ProcRecord } from '../record/proc-record.ts';
import type { HeldRole } from './wire/client-protocol.ts';

/** A process that the monitor watches. */
export interface AttendedRecord {
  key: string;
  proc: ProcRecord;
  /** A descriptor that is held with it, if there is one; it stays the monitor's, and is closed after its end. */
  held: (role: HeldRole) => FdLike | undefined;
}

/**
 * Something that the monitor does for the processes it watches beside recording their ends: pumping logs, watching for want of
 * memory, starting again what has ended.
 */
export interface MonitorDuty {
  /** For reports. */
  readonly name: string;
  /**
   * Begins with a process; once in each monitor's life, so again after the monitor was restarted. True if the monitor has to
   * stay for it even where nothing else needs it.
   */
  attend(record: AttendedRecord): Promise<boolean> | boolean;
  /** The end is on disk. What is held with the process is closed when this resolves. */
  ended?(record: AttendedRecord, exit: ExitRecord): Promise<void> | void;
  /** The record was deleted, or the monitor leaves. */
  forget?(key: string): Promise<void> | void;
}
