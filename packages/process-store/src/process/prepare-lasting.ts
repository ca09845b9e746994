import type { StdioOptions } from '@pilotlight/init';
import type { FdLike } from '@pilotlight/scm-rights';
import { inside } from '../disk/temporary-file.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { ConsoleChannel } from '../stdio/console.ts';
import { openStdio } from '../stdio/open-stdio.ts';
import { isStoredTerminal } from '../stdio/stored-stdio.ts';
import type { HeldFd } from './at-monitor.ts';
import type { Prepared } from './store-context.ts';

/** A child at its gate, and what the monitor has to hold for it before it opens. */
export type PreparedProcess = Prepared & { held?: readonly HeldFd[] };

/** What the launcher is given for the streams. */
export interface LaunchStreams {
  stdio?: StdioOptions;
  consoleSocket?: FdLike;
}

/**
 * Opens the lasting streams of a record, and has a child made with them. The streams depend on nothing here afterwards, but
 * for the master of a terminal, which is in the result until the child runs or is given up.
 *
 * Throws StdioError, FifoTimeoutError, and what `prepare` throws; nothing is open then.
 */
export async function prepareLasting(
  { directory }: LockedRecord,
  { stdio }: SpecRecord,
  signal: AbortSignal | undefined,
  prepare: (streams: LaunchStreams) => Promise<Prepared>,
): Promise<PreparedProcess> {
  if (stdio === undefined) return prepare({});
  if (isStoredTerminal(stdio)) return prepareTerminal(signal, prepare);
  using opened = await openStdio(stdio, { directory: inside(directory, ''), signal });
  return await prepare({ stdio: opened.fds });
}

async function prepareTerminal(
  signal: AbortSignal | undefined,
  prepare: (streams: LaunchStreams) => Promise<Prepared>,
): Promise<PreparedProcess> {
  using channel = new ConsoleChannel();
  const receiving = channel.receive({ signal });
  // If the launch fails, that is what counts.
  receiving.catch(() => undefined);
  const prepared = await prepare({ consoleSocket: channel.socket });
  try {
    const master = await receiving;
    const closeAfter = async <T>(work: Promise<T>): Promise<T> =>
      work.finally(() => master.close());
    return {
      pid: prepared.pid,
      pidfd: prepared.pidfd,
      cgroupPaths: prepared.cgroupPaths,
      held: [{ role: 'console', fd: master }],
      run: () => closeAfter(prepared.run()),
      abort: () => closeAfter(prepared.abort()),
    };
  } catch (error) {
    await prepared.abort();
    throw error;
  }
}
