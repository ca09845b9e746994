import {
  isSyscallError,
  type OwnedFd,
  pidfdSendSignal,
  signalNumber,
} from '@pilotlight/scm-rights';
import {
  ForeignNamespaceError,
  isStoreError,
  NotRunningError,
  UnprovenProcessError,
} from '../errors.ts';
import { describeExit } from '../process/signal.ts';
import { type ExitRecord, knownExit, type UnknownReason } from '../record/exit-record.ts';
import { identify } from '../supervision/identify.ts';
import { describeReaped } from '../supervision/observe.ts';
import { readProcStat } from '../supervision/start-ticks.ts';
import { waitReaped } from '../supervision/wait-reaped.ts';
import type { ProcessPaths } from './layout.ts';
import { readIfThere } from './layout-file.ts';
import { parsePid, parseStartTime } from './number-files.ts';
import type { SupervisedProcess, SupervisedStore } from './supervised-store.ts';

/** A process as it was found; `close` when it is not needed any more. */
export type FoundProcess = SupervisedProcess & { close?: () => void };

/**
 * The process of a folder: by our own record, or, where the store has none, by its pid and start time.
 *
 * What is not there any more is a process that ended, nobody knows how; so is one of which no pid was written. Throws
 * UnprovenProcessError where a process has the pid and nothing tells whether it is the one, BadRecordError, SyscallError.
 */
export async function findProcess(
  store: SupervisedStore,
  key: string,
  paths: ProcessPaths,
): Promise<FoundProcess> {
  try {
    return await store.load(key);
  } catch (error) {
    if (!isStoreError(error, 'ERR_STORE_NOT_FOUND')) throw error;
  }
  const pid = parsePid((await readIfThere(paths.file('pid'))) ?? '');
  if (pid === undefined) return lostProcess(key, 0, { started: false, reason: 'no-holder' });
  const startTicks = parseStartTime((await readIfThere(paths.file('startTime'))) ?? '');
  if (startTicks === undefined) {
    // Nothing to compare with: all that can be proven is that nobody has the pid.
    if (readProcStat(pid) !== undefined) throw new UnprovenProcessError(key, pid);
    return lostProcess(key, pid, { started: true, reason: 'no-holder' });
  }
  const identified = identify({ pid, startTicks, pidfsIno: null });
  if (identified.kind === 'same') return adoptedProcess(key, pid, identified.pidfd);
  const reason = identified.kind === 'gone' ? 'no-holder' : 'pid-reused';
  return lostProcess(key, pid, { started: true, reason });
}

function lostProcess(
  key: string,
  pid: number,
  { started, reason }: { started: boolean; reason: UnknownReason },
): FoundProcess {
  const exit = unknownExit(key, started, reason);
  return {
    pid,
    cgroupPaths: [],
    exit,
    wait: async () => exit,
    async signal(signal) {
      throw new NotRunningError(`send ${signal} to`, key, describeExit(exit));
    },
  };
}

/** One that somebody else started, proven to be it. */
function adoptedProcess(key: string, pid: number, pidfd: OwnedFd): FoundProcess {
  return {
    pid,
    cgroupPaths: [],
    exit: undefined,
    async wait({ signal } = {}) {
      await waitReaped(pidfd, signal);
      const end = describeReaped(pidfd, 'pidfd');
      if (end.kind === 'hidden') throw new ForeignNamespaceError('wait for', key);
      if (end.kind === 'lost') return unknownExit(key, true, end.reason);
      const observedAt = new Date().toISOString();
      const about = { id: key, started: true, exitedAt: null, observedAt, oom: null };
      return knownExit(end.status, { ...about, source: end.source });
    },
    async signal(signal) {
      try {
        pidfdSendSignal(pidfd, signalNumber(signal));
      } catch (error) {
        if (!isSyscallError(error, 'ESRCH')) throw error;
        throw new NotRunningError(`send ${signal} to`, key, 'it has ended');
      }
    },
    close: () => pidfd.close(),
  };
}

function unknownExit(id: string, started: boolean, reason: UnknownReason): ExitRecord {
  const observedAt = new Date().toISOString();
  return { kind: 'unknown', id, started, exitedAt: null, observedAt, reason };
}
