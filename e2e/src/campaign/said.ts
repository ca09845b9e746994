import type { ExitRecord } from '@pilotlight/process-store';

/** What an actor says of a program, before it does something or after it was told something. */
export type Said = { key: string } &
  /** Before. */
  (
    | { verb: 'launching' | 'restarting' | 'deleting' }
    | { verb: 'signaling'; signal: number }
    /** After. */
    | { verb: 'running'; pid: number }
    | { verb: 'told'; pid?: number | undefined; exit: ExitRecord }
    | { verb: 'printed'; code: number }
    | { verb: 'deleted' }
    | { verb: 'failed'; action: string; code: string; message: string }
  );
