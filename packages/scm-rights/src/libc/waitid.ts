import { P_PIDFD, WEXITED } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('waitid', 'int', ['int', 'uint', 'void *', 'int']);

const CLD_EXITED = 1;
const CLD_DUMPED = 3;

/** A child that ended: its pid and its raw wait status, as wait(2) would give it. */
export interface WaitedChild {
  pid: number;
  status: number;
}

/**
 * Waits for the end of a child by its pidfd; `waitid(2)` with P_PIDFD, Linux 5.4. Reaps it, unless WNOWAIT is set.
 *
 * With WNOHANG it returns undefined while the child runs; without, it blocks. ECHILD for anything but a child of ours.
 */
export function waitid(pidfd: number, options = 0): WaitedChild | undefined {
  // Zeroed: with WNOHANG "nothing yet" is success with pid 0.
  const info = new Uint8Array(128);
  invoke('waitid', pidfd, call(), P_PIDFD, pidfd, info, options | WEXITED);
  const view = new DataView(info.buffer);
  const pid = view.getInt32(16, true);
  if (pid === 0) return undefined;
  return { pid, status: rawStatus(view.getInt32(8, true), view.getInt32(24, true)) };
}

function rawStatus(code: number, status: number): number {
  if (code === CLD_EXITED) return (status & 0xff) << 8;
  return code === CLD_DUMPED ? status | 0x80 : status;
}
