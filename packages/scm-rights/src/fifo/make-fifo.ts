import { mkfifo } from '../libc/mkfifo.ts';

/** Makes a fifo at `path` with `mode`, of which the umask takes bits away; mkfifo(3). Throws SyscallError: EEXIST if anything is there. */
export function makeFifo(path: string, mode = 0o600): void {
  mkfifo(path, mode);
}
