import { join } from 'node:path/posix';
import { parseRecordKey } from './record/record-key.ts';

/** Every path under the store root, spelled once. */
export interface StoreLayout {
  root: string;
  /** Schema, boot and what was learnt about this machine; replaced by rename. */
  meta: string;
  /** flock: shared for work on one record, exclusive for work on the root itself. */
  lock: string;
  /** One folder per process. */
  records: string;
  /** Folders on their way out. */
  gone: string;
  /** The journal; see events/journal.ts. */
  events: string;
  /** flock, shared: held by those who watch events. The root is not tidied away under them. */
  watchers: string;
  /** The folder of a record, by its key. */
  record: (key: string) => string;
  /** The folder in which the records of processes executed in a container are. */
  execs: (container: string) => string;
  /** flock held by the monitor for as long as it lives. */
  monitorLock: string;
  /** Who the monitor is; for people, the lock is what counts. */
  monitorInfo: string;
  /** Where the monitor listens. */
  monitorSocket: string;
  /** flock held by the keeper for as long as it lives. */
  keeperLock: string;
}

/** The files of one record. Which of them exist is its state; each is written once. */
export const recordFiles = {
  /** flock held by whoever changes the record; goes with the folder, never before. */
  lock: 'lock',
  /** What to run. */
  spec: 'spec.json',
  /** Which process it became; written before it may exec. */
  proc: 'proc.json',
  /** Empty; written before the gate opens. */
  released: 'released',
  /** How it ended. */
  exit: 'exit.json',
  /** Where its pidfd is mounted until the exit is recorded. */
  pin: 'pin',
  /** Empty; somebody asked for its end, so it is not started again. */
  stop: 'stop',
  /** Empty; its start is in the journal of events. */
  toldStart: 'told.start',
  /** Empty; its exit is in the journal of events. */
  toldExit: 'told.exit',
  /** The records of processes executed in it. */
  execs: 'exec',
} as const;

/** The paths under `root`, an absolute directory. */
export function storeLayout(root: string): StoreLayout {
  const records = join(root, 'p');
  return {
    root,
    meta: join(root, 'meta.json'),
    lock: join(root, 'lock'),
    records,
    gone: join(root, 'gone'),
    events: join(root, 'events'),
    watchers: join(root, 'watchers.lock'),
    record(key) {
      const { container, exec } = parseRecordKey(key);
      const folder = join(records, container);
      return exec === undefined ? folder : join(folder, recordFiles.execs, exec);
    },
    execs: (container) => join(records, container, recordFiles.execs),
    monitorLock: join(root, 'monitor.lock'),
    monitorInfo: join(root, 'monitor.json'),
    monitorSocket: join(root, 'monitor.sock'),
    keeperLock: join(root, 'keeper.lock'),
  };
}
