import { InvalidArgumentError } from '../errors.ts';
import { pidfdOpen as pidfdOpenFd } from '../libc/pidfd-open.ts';
import { OwnedFd } from '../owned-fd.ts';

/**
 * A pidfd of the process with that pid now; `pidfd_open(2)`, Linux 5.3. The caller closes it.
 *
 * A pid is no handle: unless the process is a child not yet waited for, check afterwards that it is the one meant.
 * Throws SyscallError (ESRCH: no such process, or reaped), InvalidArgumentError.
 */
export function pidfdOpen(pid: number): OwnedFd {
  if (!Number.isInteger(pid) || pid < 1) {
    throw new InvalidArgumentError('a pid', 'a positive integer', String(pid));
  }
  return new OwnedFd(pidfdOpenFd(pid), `pidfd of ${pid}`);
}
