import {
  close,
  receiveFileBlocking,
  sendFileBlocking,
  SOCK_SEQPACKET,
  socketpair,
  waitid,
} from '@pilotlight/scm-rights/libc';
import { CLONE_NEWNS } from '../plan/namespaces.ts';
import { cloneReadOnly } from '../syscall/clone-read-only.ts';
import type { Syscall } from '../syscall/syscall.ts';
import type { Forker } from './forker.ts';
import { EVENT_FD, type ZygoteSettings } from './protocol.ts';

const CLONE_NEWUSER = 0x1000_0000;
/** With the highest of them, all that this process was started with. */
const HIGHEST_GIVEN_FD = EVENT_FD;

/**
 * Runs this program anew from a read-only clone of the Node binary, for a user without
 * CAP_SYS_ADMIN who owns that binary; see parent/node-binary.ts for what it protects from.
 *
 * The clone is made by a forked child in a user namespace of its own, where it has the capability,
 * and handed back: a mount can be run from wherever its descriptor is. This process cannot enter
 * such a namespace itself, since it has threads, and must not, since its children's mappings would
 * then be bounded by it.
 *
 * @returns only where there may be no such namespace, and so no container either
 */
export function goOnFromClone(sys: Syscall, forker: Forker, settings: ZygoteSettings): void {
  const clone = cloneInChild(sys, forker);
  if (clone === undefined) return;
  // Node has made all of them close-on-exec when it started.
  for (let fd = 0; fd <= HIGHEST_GIVEN_FD; fd++) sys.setCloseOnExec(fd, false);
  const [, program = '', koffi = ''] = process.argv;
  const next: ZygoteSettings = { ...settings, cloneBinary: false };
  sys.execve(
    `/proc/self/fd/${clone}`,
    [process.argv0, ...process.execArgv, program, koffi, JSON.stringify(next)],
    [],
  );
}

function cloneInChild(sys: Syscall, forker: Forker): number | undefined {
  const [ours, theirs] = socketpair(SOCK_SEQPACKET);
  try {
    const { pidfd } = forker.fork({
      cloneFlags: CLONE_NEWUSER | CLONE_NEWNS,
      child() {
        try {
          // By its path: what /proc/self/exe names belongs to the mount namespace that was left.
          const clone = cloneReadOnly(process.execPath);
          sendFileBlocking(theirs, 'node', clone.fd);
          return sys.exit(0);
        } catch {
          return sys.exit(1);
        }
      },
    });
    const { status } = waitid(pidfd)!;
    close(pidfd);
    return status === 0 ? receiveFileBlocking(ours).fd.release() : undefined;
  } catch {
    return undefined;
  } finally {
    close(ours);
    close(theirs);
  }
}
