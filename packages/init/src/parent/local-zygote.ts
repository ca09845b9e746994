import {
  decodeWaitStatus,
  fdNumber,
  isSyscallError,
  OwnedFd,
  readiness,
} from '@pilotlight/scm-rights';
import { canForkHere, requiredZygoteFlags } from '../zygote/zygote-flags.ts';
import { ZygoteError } from '../errors.ts';
import {
  type ChildFds,
  EntryFailure,
  type Fork,
  type ForkingProcess,
  forkingProcess,
} from '../zygote/forking-process.ts';
import { fallBack } from './fall-back.ts';
import { reportedFailure } from './launch-error.ts';
import type { ForkedChild, ForkRequest, Zygote } from './zygote.ts';

/**
 * Lets this process fork itself, without a zygote beside it: for a command line that launches one
 * container and ends. Its children are its own; they outlive it.
 *
 * It makes no self-test, which would cost as much as a launch. Where the kernel or a seccomp filter has
 * no clone3(2) for it, it has a second Node spawned for each child, as sharedZygote does.
 *
 * @throws ZygoteError when Node was started without the flags that make forking safe
 */
export function localZygote(): Zygote {
  if (!canForkHere()) {
    throw new ZygoteError('this Node process cannot fork itself: it runs with other V8 threads', {
      hint: `Start node with ${requiredZygoteFlags.join(' ')}, or use a zygote process.`,
    });
  }
  let prepared: ForkingProcess | undefined;
  let spawning: Promise<Zygote> | undefined;
  return {
    async fork(request: ForkRequest): Promise<ForkedChild> {
      if (spawning !== undefined) return (await spawning).fork(request);
      prepared ??= forkingProcess();
      const forking = prepared;
      // A pool thread inside a call could hold a lock of libc, which the child would wait for forever.
      await readiness.quiesce();
      let forked: Fork;
      try {
        forked = await forkHere(forking, request);
      } catch (cause) {
        if (!isSyscallError(cause, 'ENOSYS') || cause.syscall !== 'clone3') throw cause;
        const message = `this Node cannot be forked: ${cause.message}`;
        spawning = fallBack(new ZygoteError(message, { cause, unfit: true }));
        return (await spawning).fork(request);
      }
      const { pid, pidfd } = forked;
      const owned = new OwnedFd(pidfd);
      const watch = new AbortController();
      const ended = readiness.wait(owned, 'readable', { signal: watch.signal }).then(
        () => decodeWaitStatus(forking.peek(owned.fd)),
        // Of a child that is forgotten nothing is ever told.
        (error: unknown) => (watch.signal.aborted ? never : Promise.reject(error as Error)),
      );
      ended.catch(() => undefined);
      return {
        pid,
        pidfd: owned,
        ended,
        async reap() {
          forking.reap(owned.fd);
        },
        forget: () => watch.abort(),
      };
    },
    async close() {
      prepared = undefined;
      await spawning?.then((zygote) => zygote.close());
    },
  };
}

const never = new Promise<never>(() => undefined);

async function forkHere(forking: ForkingProcess, request: ForkRequest): Promise<Fork> {
  const { cloneFlags, cgroup, joins = [], joinedBy, pidNamespace, undumpable = false } = request;
  const { oomScoreAdj } = request;
  const child = childFds(request);
  const cgroupFd = cgroup === undefined ? undefined : fdNumber(cgroup);
  if (joinedBy !== 'entry') {
    const pidNamespaceFd = pidNamespace === undefined ? undefined : fdNumber(pidNamespace);
    return forking.fork({ cloneFlags, cgroupFd, pidNamespaceFd, undumpable, child });
  }
  const entry = forking.startEntry({
    cloneFlags,
    cgroupFd,
    child,
    joins: joins.map(({ flags, name }) => ({ flags, name })),
    joinFds: child.joins ?? [],
    undumpable,
    oomScoreAdj,
  });
  using report = new OwnedFd(entry.report);
  await readiness.wait(report, 'readable');
  try {
    return forking.takeEntryReport({ pidfd: entry.pidfd, report: report.release() });
  } catch (error) {
    if (!(error instanceof EntryFailure)) throw error;
    throw reportedFailure(error.report, error.message);
  }
}

function childFds({ fds, joins = [] }: ForkRequest): ChildFds {
  const { preserved = [], console, ...needed } = fds;
  return {
    stdin: fdNumber(needed.stdin),
    stdout: fdNumber(needed.stdout),
    stderr: fdNumber(needed.stderr),
    init: fdNumber(needed.init),
    sync: fdNumber(needed.sync),
    ...(console === undefined ? {} : { console: fdNumber(console) }),
    preserved: preserved.map((fd) => fdNumber(fd)),
    joins: joins.map(({ fd }) => fdNumber(fd)),
  };
}
