import { close, pidfdSendSignal, poll, POLLIN, waitid } from '@pilotlight/scm-rights/libc';
import type { Syscall } from '../syscall/syscall.ts';
import type { Forker } from './forker.ts';

const expectedExit = 7;
const timeoutMs = 2000;
const SIGKILL = 9;

/**
 * Forks once and lets the child allocate: on a Node whose threads or memory do not survive a fork
 * it hangs or crashes.
 *
 * @returns why this process is unfit, or `undefined` when it is fit
 */
export function selfTest(sys: Syscall, forker: Forker): string | undefined {
  const { pidfd } = forker.fork({
    cloneFlags: 0,
    child() {
      const objects: { value: number }[] = [];
      for (let value = 0; value < 5000; value++) objects.push({ value });
      const sum = objects.reduce((total, { value }) => total + value, 0);
      return sys.exit(sum > 0 ? expectedExit : 1);
    },
  });
  try {
    const timedOut = (poll(pidfd, POLLIN, timeoutMs) & POLLIN) === 0;
    if (timedOut) pidfdSendSignal(pidfd, SIGKILL);
    const ended = waitid(pidfd);
    if (timedOut) return `a forked child did not end within ${timeoutMs} ms`;
    if (ended?.status !== expectedExit << 8) {
      return `a forked child ended with wait status 0x${(ended?.status ?? 0).toString(16)}`;
    }
    return undefined;
  } finally {
    close(pidfd);
  }
}
