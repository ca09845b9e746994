import { PIDFD_INFO_EXIT, PIDFD_INFO_PID } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('ioctl', 'int', ['int', 'ulong', 'void *']);

/** _IOWR(0xFF, 11, 64). Sizes from 64 work on every kernel that has the call; up to there the layout never moved. */
const PIDFD_GET_INFO = 0xc040ff0b;

/** `struct pidfd_info`, the part all kernels share. A field counts only if its bit is in `mask`. */
export interface PidfdGetInfo {
  mask: bigint;
  cgroupid: bigint;
  pid: number;
  tgid: number;
  ppid: number;
  /** Raw wait status, with PIDFD_INFO_EXIT in `mask`. */
  exitCode: number;
}

/**
 * What the kernel tells of the process; ioctl PIDFD_GET_INFO, Linux 6.13, exit status 6.15.
 *
 * ENOTTY or EINVAL on older kernels; EREMOTE or ESRCH if the process is not in this pid namespace.
 */
export function pidfdGetInfo(
  pidfd: number,
  ask: number = PIDFD_INFO_PID | PIDFD_INFO_EXIT,
): PidfdGetInfo {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(ask), true);
  invoke('ioctl PIDFD_GET_INFO', pidfd, call(), pidfd, PIDFD_GET_INFO, bytes);
  return {
    mask: view.getBigUint64(0, true),
    cgroupid: view.getBigUint64(8, true),
    pid: view.getUint32(16, true),
    tgid: view.getUint32(20, true),
    ppid: view.getUint32(24, true),
    exitCode: view.getInt32(60, true),
  };
}
