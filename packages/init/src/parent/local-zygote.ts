import { decodeWaitStatus, fdNumber, OwnedFd, readiness } from '@pilotlight/scm-rights';
import { canForkHere, localZygoteFlags } from '../zygote/zygote-flags.ts';
import { ZygoteError } from '../errors.ts';
import { type ChildFds, type ForkingProcess, forkingProcess } from '../zygote/forking-process.ts';
import type { ForkedChild, ForkRequest, Zygote } from './zygote.ts';

/**
 * Lets this process fork itself, without a zygote beside it: for a command line that launches one
 * container and ends. Its children are its own; they outlive it.
 *
 * @throws ZygoteError when Node was started without the flags that make forking safe
 */
export function localZygote(): Zygote {
  if (!canForkHere()) {
    throw new ZygoteError('this Node process cannot fork itself: it runs with other V8 threads', {
      hint: `Start node with ${localZygoteFlags.join(' ')}, or use a zygote process.`,
    });
  }
  let prepared: ForkingProcess | undefined;
  return {
    async fork({ cloneFlags, fds, cgroup }: ForkRequest): Promise<ForkedChild> {
      prepared ??= forkingProcess();
      const forking = prepared;
      // A pool thread inside a call could hold a lock of libc, which the child would wait for forever.
      await readiness.quiesce();
      const { pid, pidfd } = forking.fork({
        cloneFlags,
        fds: childFds(fds),
        ...(cgroup === undefined ? {} : { cgroupFd: fdNumber(cgroup) }),
      });
      const owned = new OwnedFd(pidfd);
      const watch = new AbortController();
      const ended = readiness
        .wait(owned, 'readable', { signal: watch.signal })
        .then(() => decodeWaitStatus(forking.peek(owned.fd)));
      // Whoever forgets the child does not look at this promise any more.
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
    },
  };
}

function childFds({ preserved = [], console, ...needed }: ForkRequest['fds']): ChildFds {
  return {
    stdin: fdNumber(needed.stdin),
    stdout: fdNumber(needed.stdout),
    stderr: fdNumber(needed.stderr),
    init: fdNumber(needed.init),
    sync: fdNumber(needed.sync),
    ...(console === undefined ? {} : { console: fdNumber(console) }),
    preserved: preserved.map((fd) => fdNumber(fd)),
  };
}
