import { mkfifo as makeNode } from '../libc/mkfifo.ts';

/**
 * Makes a fifo, with permissions `mode` less the umask; `mkfifo(3)`, fifo(7). Throws SyscallError: EEXIST if anything has the
 * name, a dangling link too; InvalidStringError.
 */
export function mkfifo(path: string, mode = 0o600): void {
  makeNode(path, mode);
}
