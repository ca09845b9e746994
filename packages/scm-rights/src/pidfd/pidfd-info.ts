import { type FdLike, fdNumber } from '../fd-like.ts';
import { PIDFD_INFO_EXIT, PIDFD_INFO_PID } from '../libc/constants.ts';
import { pidfdGetInfo } from '../libc/pidfd-get-info.ts';
import { decodeWaitStatus, type WaitStatus } from './wait-status.ts';

/** What the kernel tells of a process. Numbers are those of the reader's pid namespace. */
export interface PidfdInfo {
  /** Absent once the process is reaped. */
  pid?: number;
  tgid?: number;
  /** 0 if the parent is outside the reader's pid namespace. */
  ppid?: number;
  /** How it ended; present once it is reaped, not while it is a zombie. */
  exit?: WaitStatus;
}

/**
 * Asks about a process, whoever its parent is; ioctl PIDFD_GET_INFO, Linux 6.13, `exit` since 6.15.
 *
 * Throws SyscallError: ENOTTY or EINVAL on older kernels, EREMOTE or ESRCH when the process is not visible here.
 */
export function pidfdInfo(pidfd: FdLike): PidfdInfo {
  const { mask, pid, tgid, ppid, exitCode } = pidfdGetInfo(fdNumber(pidfd));
  const info: PidfdInfo = {};
  if ((mask & BigInt(PIDFD_INFO_PID)) !== 0n && pid !== 0) Object.assign(info, { pid, tgid, ppid });
  if ((mask & BigInt(PIDFD_INFO_EXIT)) !== 0n) info.exit = decodeWaitStatus(exitCode);
  return info;
}
