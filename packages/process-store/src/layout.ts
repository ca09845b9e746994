import { join } from 'node:path/posix';

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
  /** flock held by the monitor for as long as it lives. */
  monitorLock: string;
  /** Who the monitor is; for people, the lock is what counts. */
  monitorInfo: string;
  /** Where the monitor listens. */
  monitorSocket: string;
  /** flock held by the keeper for as long as it lives. */
  keeperLock: string;
  record: (id: string) => string;
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
    monitorLock: join(root, 'monitor.lock'),
    monitorInfo: join(root, 'monitor.json'),
    monitorSocket: join(root, 'monitor.sock'),
    keeperLock: join(root, 'keeper.lock'),
    record: (id) => join(records, id),
  };
}
