import { closeAll, dupFd, type FdLike, type OwnedFd } from '@pilotlight/scm-rights';
import { isStoreError, MonitorError, NoConsoleError } from '../errors.ts';
import { ask } from '../monitor/client/ask.ts';
import type { MonitorConnection } from '../monitor/client/connect-monitor.ts';
import type { ClientMessage, HeldRole, MonitorMessage } from '../monitor/wire/client-protocol.ts';
import { parseRecordKey } from '../record/record-key.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { mayRestart } from '../restart/restart-policy.ts';
import { isStoredTerminal } from '../stdio/stored-stdio.ts';
import { load } from './load.ts';
import type { StoreContext } from './store-context.ts';

const ATTEMPTS = 3;

/** A descriptor to be kept with a process; it stays the caller's, the monitor has a copy. */
export interface HeldFd {
  role: HeldRole;
  fd: FdLike;
}

/** Gives descriptors to the monitor; resolves when it and the keeper hold them. Throws MonitorError, the signal's reason. */
export async function holdAtMonitor(
  context: StoreContext,
  key: string,
  held: readonly HeldFd[],
  signal?: AbortSignal,
): Promise<void> {
  if (context.own !== undefined) {
    await context.own.keep(
      key,
      held.map(({ role, fd }) => ({ role, fd: dupFd(fd, role) })),
    );
    return;
  }
  const question = { type: 'adopt' as const, key, roles: held.map(({ role }) => role) };
  const fds = held.map(({ fd }) => fd);
  await askOneThatStays(context, question, 'adopted', { fds, signal });
}

/**
 * Has the monitor watch a recorded process and begin what it does for it; resolves when it has. Throws MonitorError, the
 * signal's reason.
 */
export async function attendAtMonitor(
  context: StoreContext,
  key: string,
  signal?: AbortSignal,
): Promise<void> {
  if (context.own !== undefined) return context.own.attend(key);
  await askOneThatStays(context, { type: 'attend', key }, 'attending', { signal });
}

/** A monitor may be about to leave, or die: the next one does it as well. */
async function askOneThatStays(
  { root, monitor }: StoreContext,
  question: ClientMessage,
  expected: MonitorMessage['type'],
  options: { fds?: readonly FdLike[]; signal?: AbortSignal | undefined },
): Promise<void> {
  const path = root.layout.root;
  if (monitor === undefined) throw new MonitorError(path, 'this store has none');
  for (let attempt = 1; ; attempt++) {
    try {
      using connection = await monitor.connect(options.signal);
      await ask(path, connection, question, [expected], options);
      return;
    } catch (error) {
      if (!isStoreError(error, 'ERR_STORE_MONITOR') || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Whether there is something that only the monitor does for such a process. */
export function needsMonitor({ stdio, log, restarts }: SpecRecord): boolean {
  const hasTerminal = stdio !== undefined && isStoredTerminal(stdio);
  return mayRestart(restarts) || hasTerminal || log?.driver === 'cri';
}

/**
 * A copy of a terminal's master that the monitor holds; the caller closes it. Throws NotFoundError, NoConsoleError,
 * MonitorError, InvalidIdError.
 */
export async function openConsole(
  { root, monitor, own }: StoreContext,
  key: string,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  parseRecordKey(key);
  const path = root.layout.root;
  if (monitor === undefined || own !== undefined)
    throw new MonitorError(path, 'this store has none');
  const { facts } = await load(root, key, signal);
  const { stdio } = facts.spec;
  // Then no monitor is started to be asked.
  if (stdio === undefined || !isStoredTerminal(stdio) || facts.exit !== undefined) {
    throw new NoConsoleError(key);
  }
  using connection = await monitor.connect(signal);
  const answer = await askForConsole(path, connection, key, signal);
  const [master, ...others] = answer.fds;
  closeAll(others);
  if (master === undefined) throw new MonitorError(path, 'it answered without a terminal');
  return master;
}

async function askForConsole(
  path: string,
  connection: MonitorConnection,
  key: string,
  signal: AbortSignal | undefined,
) {
  try {
    return await ask(path, connection, { type: 'console', key }, ['console'], { signal });
  } catch (error) {
    // Lost with monitor and keeper.
    if (isStoreError(error, 'ERR_STORE_NOT_FOUND')) throw new NoConsoleError(key);
    throw error;
  }
}
