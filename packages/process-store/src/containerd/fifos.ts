import { chmodSync, constants } from 'node:fs';
import { isSyscallError, mkfifo, openFd, type OwnedFd } from '@pilotlight/scm-rights';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const MODE = 0o755;

/** Makes a fifo with mode 0755 whatever the umask is; leaves what is there. Throws SyscallError. */
export function ensureFifo(path: string): void {
  try {
    mkfifo(path, MODE);
    chmodSync(path, MODE);
  } catch (error) {
    if (!isSyscallError(error, 'EEXIST')) throw error;
  }
}

/** The end of the exit fifo that sees the hang-up. Opened before the writer: a hang-up is only told of writers that came later. */
export function openExitReader(path: string): OwnedFd {
  return openFd(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/** The end of the exit fifo whose closing is the hang-up. The caller has a reader open: so this fails not with ENXIO. */
export function openExitWriter(path: string): OwnedFd {
  return openFd(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
}

/** The control fifo, for both: neither end ever sees an end of file, and messages may wait in it. */
export function openControl(path: string): OwnedFd {
  return openFd(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
}
