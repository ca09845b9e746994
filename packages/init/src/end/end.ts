import { signalName, type WaitStatus } from '@pilotlight/scm-rights';
import type { CgroupCounters } from '../cgroup/counters.ts';

/**
 * Why a program ended, in the order in which it is decided:
 *
 * | reason        | holds when                                                                        |
 * | ------------- | --------------------------------------------------------------------------------- |
 * | `unknown`     | nobody can know the status any more; `cause` says why                              |
 * | `outputLimit` | it wrote more than `maxOutputBytes`, whether it was killed for that or had ended   |
 * | `timeout`     | we killed it after `timeoutMs`                                                     |
 * | `aborted`     | we killed it because `signal` was aborted; `cause` is the signal's reason          |
 * | `oom`         | it failed, and the kernel had killed a process of its cgroup for want of memory    |
 * | `pidsLimit`   | it failed, and a fork in its cgroup had been refused for the number of processes   |
 * | `signaled`    | a signal ended it, whoever sent that                                               |
 * | `exited`      | it exited, with whatever code                                                      |
 *
 * To fail is to be ended by a signal or to exit with another code than 0. A program that ended by
 * itself before our signal came is not a `timeout` and not `aborted`. `oom` and `pidsLimit` need a
 * cgroup that was made for this launch and has those controllers.
 */
export type EndReason =
  | 'exited'
  | 'signaled'
  | 'oom'
  | 'pidsLimit'
  | 'timeout'
  | 'outputLimit'
  | 'aborted'
  | 'unknown';

/** How a program ended, as data. */
export type End = {
  readonly reason: EndReason;
  /** Exit code 0 to 255; null if a signal ended it, or nobody knows. */
  readonly code: number | null;
  /** Number of the signal that ended it; null if it exited, or nobody knows. */
  readonly signal: number | null;
  /** As wait(2) gives it; undefined when nobody knows. */
  readonly status: WaitStatus | undefined;
  /** One sentence for people. */
  readonly message: string;
  /** Of `aborted` and `unknown`. */
  readonly cause?: unknown;
};

/** Why we killed a program. */
export type Stop = {
  readonly reason: 'timeout' | 'outputLimit' | 'aborted';
  /** How the sentence goes on after "killed: ". */
  readonly because: string;
  readonly cause?: unknown;
};

const SIGKILL = 9;

/** To end by a signal or with another code than 0. */
export function hasFailed(status: WaitStatus): boolean {
  return status.code !== 0;
}

/** The one reason that holds, see EndReason. `counters` count from the launch on. */
export function decideEnd(
  status: WaitStatus,
  stop: Stop | undefined,
  counters: CgroupCounters | undefined,
): End {
  const { code, signal } = status;
  const end = (reason: EndReason, message: string, cause?: unknown): End => ({
    reason,
    code,
    signal,
    status,
    message,
    ...(cause === undefined ? {} : { cause }),
  });
  if (stop !== undefined && (stop.reason === 'outputLimit' || signal === SIGKILL)) {
    const how = signal === SIGKILL ? 'killed' : endedBy(status);
    return end(stop.reason, `${how}: ${stop.because}`, stop.cause);
  }
  if (hasFailed(status) && counters !== undefined) {
    const { oomKill, pidsLimit } = counters;
    if (oomKill > 0n) {
      return end('oom', `${endedBy(status)}: the kernel killed for want of memory in its cgroup`);
    }
    if (pidsLimit > 0n) {
      return end('pidsLimit', `${endedBy(status)}: its cgroup allows no more processes`);
    }
  }
  return end(signal === null ? 'exited' : 'signaled', endedBy(status));
}

/** The end of a process whose status is lost. */
export function unknownEnd(cause: unknown): End {
  const why = cause instanceof Error ? cause.message : String(cause);
  return { reason: 'unknown', code: null, signal: null, status: undefined, message: why, cause };
}

function endedBy({ code, signal, core }: WaitStatus): string {
  if (signal === null) return `exited with ${code}`;
  return `ended by ${signalName(signal) ?? `signal ${signal}`}${core ? ', which dumped its core' : ''}`;
}
