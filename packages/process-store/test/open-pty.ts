import { constants } from 'node:fs';
import { openFd, type OwnedFd } from '@pilotlight/scm-rights';
import { loadLibc } from '@pilotlight/scm-rights/libc';

/** A pty: its master, and the terminal that a program would have. */
export function openPty(): [master: OwnedFd, terminal: OwnedFd] {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openFd('/dev/ptmx', flags);
  const libc = loadLibc();
  const name = Buffer.alloc(64);
  if (
    libc.func('unlockpt', 'int', ['int'])(master.fd) !== 0 ||
    libc.func('ptsname_r', 'int', ['int', 'void *', 'size_t'])(master.fd, name, 64) !== 0
  ) {
    master.close();
    throw new Error('no pty');
  }
  return [master, openFd(name.toString('latin1', 0, name.indexOf(0)), flags)];
}
